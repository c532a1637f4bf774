import { Readable } from 'node:stream';
import type { ManifestObject } from '../domain/manifest.ts';
import { methodOf } from './database/choose.ts';
import type { BackupCall } from './guard.ts';
import { sealObject } from './seal-object.ts';
import { serves } from './site.ts';

/**
 * API and policy definitions as a part of the set, so that the set itself can say which it holds. Read from the live
 * database while the set is made: what is edited in these very seconds may be in the one and not yet in the other.
 */
export async function sealDefinitions(call: BackupCall): Promise<ManifestObject[]> {
  const { worker, site } = call;
  const { database } = site;
  if (!database || !serves(worker, site, database)) return [];
  call.progress('definitions');
  const definitions = await methodOf(database).definitions(call);
  return [await sealObject(call, 'definitions', Readable.from([Buffer.from(JSON.stringify(definitions))]))];
}
