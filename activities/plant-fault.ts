import { copyFile, mkdir, readdir, rm, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest, requireNewestUsable, setFolder } from '../adapters/backup/repository.ts';
import { forgetRedisMarks } from '../adapters/beacon/redis.ts';
import { forgetPostgresMarks } from '../adapters/beacon/postgres.ts';
import { forgetMongoMarks } from '../adapters/beacon/mongodb.ts';
import { withDatabase } from '../adapters/mongodb/client.ts';
import { connect, withClient } from '../adapters/postgres/client.ts';
import { withMasters, type Shards } from '../adapters/redis/shards.ts';
import { putKey } from '../adapters/tyk/keys.ts';
import type { RedisConfig } from '../domain/config.ts';
import type { Plant } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { describeApi, listenPathOf, organisationOf } from '../domain/versioned.ts';
import { methodOf } from './database/choose.ts';
import { mongoEndpoint } from './database/mongodb.ts';
import { adminConnection, redisStore } from './endpoints.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { plantedRepository } from './planted.ts';
import { activeApis } from './published.ts';
import { serves } from './site.ts';

/** Plants the fault of a drill into its own target, on the worker that serves it. Everything of it is torn down. */

export function createPlantFaultActivities(deps: Deps) {
  return {
    'plant-fault': guarded(deps, 'release', plantFault),
    'remove-plant': guarded(deps, 'release', async ({ target }) => {
      await rm(plantedRepository(target), { recursive: true, force: true });
      return { summary: 'what was planted beside the set is gone' };
    }),
  };
}

async function plantFault(call: Call): Promise<StepResult> {
  const plant = call.input.plan.drill?.plant;
  if (plant === undefined) throw new Error('no fault is planted outside a drill that asks for it');
  return { summary: await PLANTERS[plant](call) };
}

const PLANTERS: Readonly<Record<Plant, (call: Call) => Promise<string>>> = {
  'truncated-object': truncatedObject,
  'clock-step': () => Promise.resolve('the clock is read ten minutes later than it is'),
  'empty-redis': (call) => inRedis(call, emptied),
  'wrong-password': (call) => inRedis(call, anotherPassword),
  'unmeasured-watermark': withoutMarks,
  'missing-api': withoutOneApi,
  'slow-database': lockedApis,
  'revoked-key-works': revokedKeyBack,
};

async function truncatedObject({ deployment, target, input, worker }: Call): Promise<string> {
  if (worker !== target.worker) return 'planted on another host';
  const { backup } = deployment;
  const { deployment: name, backup: asked } = input.plan;
  const set = asked === 'latest' ? await requireNewestUsable(backup, name) : asked;
  const planted = { repository: plantedRepository(target) };
  const [from, to] = [setFolder(backup, name, set), setFolder(planted, name, set)];
  await rm(planted.repository, { recursive: true, force: true });
  await mkdir(to, { recursive: true, mode: 0o700 });
  const { manifest } = await readManifest(backup, name, set);
  const [largest] = [...manifest.objects].sort((a, b) => b.cipher.bytes - a.cipher.bytes);
  for (const file of await readdir(from)) {
    if (file !== largest!.file) await symlink(join(from, file), join(to, file));
    else {
      await copyFile(join(from, file), join(to, file));
      await truncate(join(to, file), Math.floor(largest!.cipher.bytes / 2));
    }
  }
  return `half of ${largest!.name} of ${set} is gone, in a copy of the set`;
}

async function inRedis(
  call: Call,
  work: (shards: Shards, config: RedisConfig) => Promise<string>,
): Promise<string> {
  const { worker, target, secret } = call;
  if (!target.redis || !serves(worker, target, target.redis)) return 'planted on another host';
  const config = target.redis;
  return withMasters(await redisStore(config, secret), (shards) => work(shards, config));
}

async function emptied({ all }: Shards): Promise<string> {
  for (const { client } of all) await client.flushdb();
  return 'Redis was emptied';
}

/** Until it is started anew from its own configuration. */
async function anotherPassword({ all }: Shards): Promise<string> {
  for (const { client } of all) await client.config('SET', 'requirepass', 'tyk-dr-planted-another-password');
  return 'Redis takes another password';
}

async function withoutMarks({ worker, target, secret }: Call): Promise<string> {
  const { redis, database } = target;
  if (redis && serves(worker, target, redis)) await forgetRedisMarks(await redisStore(redis, secret));
  if (database && serves(worker, target, database)) {
    if (database.kind === 'mongodb') await forgetMongoMarks(await mongoEndpoint(database, secret));
    else await forgetPostgresMarks(await adminConnection(database, secret));
  }
  return 'the watermarks were removed';
}

/** One that no probe asks for: it is to be missed for its own sake. */
async function withoutOneApi(call: Call): Promise<string> {
  const { worker, target, deployment, secret } = call;
  const { database } = target;
  if (!database || !serves(worker, target, database)) return 'planted on another host';
  const { organisation, probes, analytics } = deployment;
  const asked = [...probes.map(({ path }) => path), ...(analytics ? [analytics.path] : [])];
  const { apis } = await methodOf(database).definitions({ site: target, secret });
  const doomed = apis
    .filter((api) => organisationOf(api) === organisation)
    .filter((api) => !asked.some((path) => path.startsWith(listenPathOf(api))))
    .map(describeApi)
    .at(-1);
  if (!doomed)
    throw new DrError('PROOF_FAILED', {
      proof: 'planting',
      expected: 'an API without probe',
      actual: 'none',
    });
  if (database.kind === 'mongodb')
    await withDatabase(await mongoEndpoint(database, secret), (db) =>
      db.collection('tyk_apis').deleteOne({ 'api_definition.api_id': doomed.id }),
    );
  else
    await withClient(await adminConnection(database, secret), (client) =>
      client.query(`DELETE FROM tyk_apis WHERE api_definition->>'api_id' = $1`, [doomed.id]),
    );
  return `the API ${doomed.name || doomed.id} was removed from the database`;
}

/** A lock that nobody gives back until the server is stopped: the Dashboard waits for its APIs. */
async function lockedApis({ worker, target, secret }: Call): Promise<string> {
  const { database } = target;
  if (!database || !serves(worker, target, database)) return 'planted on another host';
  if (database.kind !== 'postgresql')
    throw new DrError('BAD_ARGUMENT', {
      argument: '--plant',
      value: 'slow-database',
      expected: 'a deployment on PostgreSQL',
    });
  const client = await connect(await adminConnection(database, secret));
  await client.query('BEGIN; LOCK TABLE tyk_apis IN ACCESS EXCLUSIVE MODE');
  return 'the table of the APIs is locked';
}

async function revokedKeyBack(call: Call): Promise<string> {
  const { target, deployment, secret } = call;
  const probe = deployment.probes.find(({ proves, key }) => proves === 'revoked-key' && key !== undefined);
  if (!probe)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--plant',
      value: 'revoked-key-works',
      expected: 'a probe that proves revoked-key, with the key',
    });
  const api = (await activeApis(call)).find(({ listenPath }) => probe.path.startsWith(listenPath));
  if (!api) throw new DrError('PROOF_FAILED', { proof: probe.name, expected: 'an API', actual: 'none' });
  const refused = await putKey(
    target.gateways[0]!.url,
    await secret(deployment.secrets.gateway),
    await secret(probe.key!),
    {
      organisation: deployment.organisation,
      api: { id: api.apiId, name: api.name },
      alias: `tyk-dr ${call.input.run}`,
      expires: 0,
    },
  );
  if (refused !== undefined)
    throw new DrError('PROOF_FAILED', { proof: 'planting a key', expected: 'a key', actual: refused });
  return 'the revoked key is let in again';
}
