import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { dumpFolder } from '../../adapters/mongodb/dump-folder.ts';
import { dumpDatabase } from '../../adapters/mongodb/dump.ts';
import type { Opener } from '../../adapters/mongodb/load.ts';
import { restoreDump, type DumpedCollection } from '../../adapters/mongodb/restore.ts';
import { withScratchMongo } from '../../adapters/mongodb/scratch.ts';
import { canonical } from '../../adapters/config/digest.ts';
import type { PartResult } from '../../domain/backup.ts';
import { formatBytes } from '../../domain/duration.ts';
import type { Manifest, ManifestObject } from '../../domain/manifest.ts';
import type { MongoFacts } from '../../domain/mongodb.ts';
import type { BackupCall, Call } from '../guard.ts';
import { openPart, setOf } from '../open-set.ts';
import { sealObject } from '../seal-object.ts';
import type { ScratchDatabase, VerifiedDatabase } from './method.ts';
import { mongoEndpoint, mongoFacts, mongoOf, readDefinitions } from './mongodb.ts';

/** MongoDB becomes part of a set as mongodump would write it, one sealed object for each file. */

export async function backUp(call: BackupCall): Promise<PartResult> {
  const objects: ManifestObject[] = [];
  const config = mongoOf(call.site);
  const store = async (path: string, content: Readable): Promise<string> => {
    const object = await sealObject({ ...call, signal: ownSignal(call) }, objectName(path), content);
    objects.push(object);
    return object.name;
  };
  const take = { store, onProgress: call.progress, signal: call.signal };
  const facts =
    config.mongodumpFolder === undefined
      ? await dumpDatabase({ ...take, endpoint: await mongoEndpoint(config, call.secret) })
      : await dumpFolder({ ...take, folder: config.mongodumpFolder, database: config.name });
  const documents = facts.collections.reduce((sum, each) => sum + each.documents, 0);
  const sealed = objects.reduce((sum, { cipher }) => sum + cipher.bytes, 0);
  const source =
    config.mongodumpFolder === undefined
      ? ''
      : ` from ${config.mongodumpFolder}, written at ${facts.takenAt}`;
  return {
    summary: `${documents} documents in ${facts.collections.length} collections${source}, ${formatBytes(facts.databaseBytes)} as ${formatBytes(sealed)}; ${momentOf(facts)}`,
    objects: objects.sort((a, b) => (a.name < b.name ? -1 : 1)),
    database: facts,
    versions: { mongodb: facts.version },
  };
}

/** Whether all collections are of one moment, and of which. */
function momentOf({ consistency, oplog, takenAt, withoutOplog }: MongoFacts): string {
  if (oplog) return `with ${oplog.entries} entries of the oplog, of one moment: ${oplog.endsAt}`;
  const why = withoutOplog === undefined ? '' : ` (${withoutOplog})`;
  return consistency === 'snapshot' ? `of one moment, ${takenAt}; no oplog${why}` : `not of one moment${why}`;
}

/** Readable, fit for any file system, and its own for every path; the path itself is in the manifest. */
function objectName(path: string): string {
  const readable = basename(path)
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .slice(0, 80);
  return `mongodb-${createHash('sha256').update(path).digest('hex').slice(0, 8)}-${readable}`;
}

export function scratchFolder({ site, input }: BackupCall): string {
  return join(site.stateDir, `verify-mongodb-${input.set}`);
}

/** Every document is read back from a private server and compared, byte for byte. */
export async function verify(
  call: BackupCall,
  manifest: Manifest,
  scratchDir: string,
  whileUp: (database: ScratchDatabase) => Promise<void>,
): Promise<VerifiedDatabase> {
  const facts = mongoFacts(manifest);
  const { scratchServer } = mongoOf(call.site);
  const key = { run: 'verify', step: call.input.step, set: manifest.set };
  const restored = await withScratchMongo(
    scratchServer,
    scratchDir,
    facts.name,
    async (db, { host, port }) => {
      // Switched in as well: a Dashboard that starts on it asks for collections by their names.
      const { result } = await restoreDump(db, key, dumpOf(call, manifest), {
        everything: true,
        oplog: oplogOf(call, manifest),
        before: () => Promise.resolve(),
        describe: (collections) => collections,
        onProgress: call.progress,
        signal: call.signal,
      });
      await whileUp({ definitions: await readDefinitions(db), door: { host, port, name: facts.name } });
      return result;
    },
    call.signal,
  );
  const indexes = restored.reduce((sum, each) => sum + each.indexes, 0);
  return {
    facts: {
      rows: Object.fromEntries(restored.map(({ name, documents }) => [name, documents])),
      schemaDigest: createHash('sha256')
        .update(canonical(restored.map(({ name, definition }) => [name, definition])))
        .digest('hex'),
    },
    detail: `every document byte for byte, ${indexes} indexes`,
  };
}

/** The dump of a set, to be opened file by file. */
export function dumpOf(call: Call | BackupCall, manifest: Manifest): DumpedCollection[] {
  const open = opener(call, manifest);
  return mongoFacts(manifest).collections.map((each) => ({
    name: each.name,
    metadata: open(each.metadata),
    ...(each.data === undefined ? {} : { data: open(each.data) }),
    counted: each,
  }));
}

/** What was written while the dump was taken, where the server told. */
export function oplogOf(call: Call | BackupCall, manifest: Manifest): Opener | undefined {
  const { oplog } = mongoFacts(manifest);
  return oplog && opener(call, manifest)(oplog.data);
}

const opener =
  (call: Call | BackupCall, manifest: Manifest) =>
  (object: string): Opener =>
  (sink: Writable) =>
    openPart({ ...setOf(call), signal: ownSignal(call) }, manifest, object, sink);

/** Several objects at a time, each with several programs that listen: more than one signal is made for. */
function ownSignal({ signal }: Call | BackupCall): AbortSignal {
  return AbortSignal.any([signal]);
}
