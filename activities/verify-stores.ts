import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../adapters/host/free-port.ts';
import { finishDataDir, rdbFile } from '../adapters/redis/append-only-dir.ts';
import type { Client } from '../adapters/redis/client.ts';
import { compareFacts, dropAnalytics } from '../adapters/redis/facts.ts';
import { withScratchRedis, type ScratchDoor } from '../adapters/redis/scratch.ts';
import { readSessions } from '../adapters/redis/sessions.ts';
import type { ProofConfig } from '../domain/config-proof.ts';
import { DrError } from '../domain/errors.ts';
import type { Attestation, Manifest, RelationFacts } from '../domain/manifest.ts';
import { Relations, relationText } from '../domain/relations.ts';
import { Secret } from '../domain/secret.ts';
import type { Definitions } from '../domain/versioned.ts';
import type { ScratchDatabase } from './database/method.ts';
import type { BackupCall } from './guard.ts';
import { scratchPath } from './leftovers.ts';
import { openRedisFacts, setOf } from './open-set.ts';
import { openAsRdb } from './redis-object.ts';
import { proveServices } from './verify-services.ts';

/** Redis of a set, restored beside its database: each by itself, both together, and what serves from them. */

export type ProvenStores = Pick<Attestation, 'redis' | 'relations' | 'services'>;

/** What the keys of a snapshot are counted against: the definitions that its set holds, where it holds any. */
interface Known {
  readonly definitions: Definitions | undefined;
}

/** @param beside the database of the set, where it has one: it runs meanwhile. Of a snapshot what its set knows. */
export async function verifyStores(
  call: BackupCall,
  manifest: Manifest,
  beside: ScratchDatabase | Known | undefined,
): Promise<ProvenStores> {
  const redis = await openRedisFacts(setOf(call), manifest);
  if (!redis || !call.site.redis) return {};
  const folder = scratchPath(call.site, 'verify', manifest.set);
  const data = join(folder, 'redis');
  await rm(folder, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    call.progress('loading Redis');
    await openAsRdb(setOf(call), manifest, call.site.redis, await rdbFile(data, false));
    await finishDataDir(data, false);
    const door = call.site.verify.dashboard && (await newDoor());
    const proven = async (client: Client): Promise<ProvenStores> => {
      await dropAnalytics(client);
      await compareFacts(redis, client);
      const counted = {
        keys: await client.dbsize(),
        expires: redis.expires,
        samplesEqual: redis.samples.length,
      };
      if (!beside?.definitions) return { redis: counted };
      call.progress('keys against APIs and policies');
      const relations = await relationsOf(client, beside.definitions);
      if (!('door' in beside)) return { redis: counted, relations };
      judgeRelations(relations, call.site.verify);
      const services = await proveServices(call, manifest, folder, { redis: door, database: beside });
      return { redis: counted, relations, ...(services ? { services } : {}) };
    };
    const { binary, database: number } = call.site.redis;
    return await withScratchRedis(binary, data, proven, call.signal, number, door);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function newDoor(): Promise<ScratchDoor> {
  return { port: await freePort(), password: new Secret(randomBytes(24).toString('base64url')) };
}

async function relationsOf(client: Client, definitions: Definitions): Promise<RelationFacts> {
  const relations = new Relations(definitions);
  for await (const key of readSessions(client)) relations.add(key);
  return relations.facts();
}

/**
 * A few keys name what was deleted in every deployment: Tyk leaves them. Many do where the stores are not of one
 * moment, or not of one deployment.
 *
 * @throws DrError DATA_UNPROVEN
 */
function judgeRelations(facts: RelationFacts, { danglingPercent }: ProofConfig): void {
  if (facts.danglingKeys * 100 <= facts.keys * danglingPercent) return;
  throw new DrError('DATA_UNPROVEN', {
    what: 'APIs and policies that keys name',
    expected: `all but ${danglingPercent} % of ${facts.keys} keys name what is there`,
    actual: relationText(facts),
  });
}
