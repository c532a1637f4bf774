import { withClient as withPostgres } from '../adapters/postgres/client.ts';
import { withDatabase } from '../adapters/mongodb/client.ts';
import { scanKeys } from '../adapters/redis/scan.ts';
import { withMasters } from '../adapters/redis/shards.ts';
import { stopService } from '../adapters/service/service.ts';
import type { Component, StepResult } from '../domain/run.ts';
import { mongoEndpoint } from './database/mongodb.ts';
import { adminConnection, redisStore } from './endpoints.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { serves, servicesOf } from './site.ts';

/** Breaks the isolated copy of a simulation, as the scenario has it. The guard keeps it off every other site. */

export function createInjectDisasterActivities(deps: Deps) {
  return { 'inject-disaster': guarded(deps, 'mutate', inject) };
}

async function inject(call: Call): Promise<StepResult> {
  if (call.input.plan.drill === undefined) throw new Error('only a drill breaks what it has built');
  switch (call.input.plan.scenario) {
    case 'infrastructure':
    case 'regional':
      return { summary: await stop(call, ['redis', 'database', 'dashboard', 'gateway', 'pump']) };
    case 'network':
      // Nothing reaches the copy any more; its stores are whole.
      return { summary: await stop(call, ['dashboard', 'gateway', 'pump']) };
    case 'corruption':
      return { summary: [...(await loseKeys(call)), ...(await loseDefinitions(call))].join('; ') };
    case 'human-error':
      return { summary: (await loseDefinitions(call)).join('; ') };
  }
}

async function stop({ worker, target, input, signal }: Call, kinds: readonly Component[]): Promise<string> {
  const services = servicesOf(input.plan.to, target, { worker }).filter(({ component }) =>
    kinds.includes(component),
  );
  for (const service of [...services].reverse()) await stopService(service, signal);
  return `stopped ${services.map(({ name }) => name).join(', ')}`;
}

/** Every second key. */
async function loseKeys(call: Call): Promise<string[]> {
  const { worker, target } = call;
  if (!target.redis || !serves(worker, target, target.redis)) return [];
  const lost = await withMasters(await redisStore(target.redis, call.secret), async ({ all }) => {
    let count = 0;
    for (const { client } of all) {
      for await (const keys of scanKeys(client)) {
        const doomed = keys.filter((_, index) => index % 2 === 0);
        count += await client.unlink(doomed);
      }
    }
    return count;
  });
  return [`${lost} keys lost in Redis`];
}

/** Every second API, and every policy, as after a wrong DELETE. */
async function loseDefinitions(call: Call): Promise<string[]> {
  const { worker, target, secret } = call;
  const { database } = target;
  if (!database || !serves(worker, target, database)) return [];
  if (database.kind === 'mongodb') {
    const apis = await withDatabase(await mongoEndpoint(database, secret), async (db) => {
      const found = await db
        .collection('tyk_apis')
        .find({}, { projection: { _id: 1 } })
        .toArray();
      const doomed = found.filter((_, index) => index % 2 === 0).map(({ _id }) => _id);
      await db.collection('tyk_policies').deleteMany({});
      return (await db.collection('tyk_apis').deleteMany({ _id: { $in: doomed } })).deletedCount;
    });
    return [`${apis} API definitions and all policies deleted`];
  }
  return withPostgres(await adminConnection(database, secret), async (client) => {
    const { rowCount } = await client.query(
      `DELETE FROM tyk_apis WHERE ctid IN
         (SELECT ctid FROM (SELECT ctid, row_number() OVER () AS n FROM tyk_apis) all_apis WHERE n % 2 = 1)`,
    );
    const policies = await client.query('DELETE FROM tyk_policies');
    return [`${rowCount ?? 0} API definitions and ${policies.rowCount ?? 0} policies deleted`];
  });
}
