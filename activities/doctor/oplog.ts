import { withDatabase } from '../../adapters/mongodb/client.ts';
import { markOplog } from '../../adapters/mongodb/oplog-capture.ts';
import { isoOf } from '../../adapters/mongodb/oplog.ts';
import { doubtful, fine, type Finding } from '../../domain/doctor.ts';
import { mongoEndpoint } from '../database/mongodb.ts';
import { serves } from '../site.ts';
import type { Host } from './host.ts';

/** Whether the next set of a MongoDB will be of one moment. */
export async function checkOplog({ live, worker, site, where, secret }: Host): Promise<Finding[]> {
  const { database } = site;
  if (!live || database?.kind !== 'mongodb' || !serves(worker, site, database)) return [];
  if (database.mongodumpFolder !== undefined) return [];
  return withDatabase(await mongoEndpoint(database, secret), async (db) => {
    const mark = await markOplog(db);
    if ('none' in mark)
      return [doubtful('oplog', where, `${mark.none}: collections of a set may be of different moments`)];
    return [
      fine(
        'oplog',
        where,
        `a set will be of one moment: the oplog can be read, up to ${isoOf(mark.from)}; its replay is not proven on a genuine mongod, see docs/mongodb.md`,
      ),
    ];
  });
}
