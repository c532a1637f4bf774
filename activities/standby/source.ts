import { withClient as withPostgres, type Client as Postgres } from '../../adapters/postgres/client.ts';
import {
  dropSlot,
  ensureReplicationRole,
  ensureSlot,
  limitSlots,
  primaryFacts,
  primaryPosition,
  resumeWrites,
  setSynchronous,
  slotOf,
  stopWrites,
} from '../../adapters/postgres/replication.ts';
import {
  withClient as withRedis,
  type Client as Redis,
  type RedisEndpoint,
} from '../../adapters/redis/client.ts';
import { ensureBacklog, ensureMasterLogin, redisPosition } from '../../adapters/redis/replica.ts';
import { addressText, settledView, withSentinels } from '../../adapters/redis/sentinels.ts';
import { sameAddress } from '../../adapters/host/same-address.ts';
import { startService } from '../../adapters/service/service.ts';
import type { CheckSourceResult, SourceStore, StopWritesResult } from '../../domain/plan.ts';
import { DrError } from '../../domain/errors.ts';
import { NOT_PROVEN } from '../../domain/replica-set.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { clusterOf } from '../../domain/cluster.ts';
import { isWatched } from '../../domain/redis-kind.ts';
import { adminConnection, redisEndpoint, sentinelsOf } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { liveState } from '../live.ts';
import { proof } from '../proofs.ts';
import { serves, servicesOf } from '../site.ts';
import { stopServices } from '../stop-services.ts';
import { isMongo } from './mongodb.ts';
import { checkMongoSource, closeMongo, handOverMongo, openMongo, takeBackMongo } from './mongodb-source.ts';
import { refuseHeldWrites, stopTakingWrites, takeWritesAgain } from './held-writes.ts';

/**
 * What happens at the site that serves, or served, while another one is made to follow it or takes over. It stays in its
 * own command: only the fence takes that.
 */

export function createSourceActivities(deps: Deps) {
  return {
    'check-source': guarded(deps, 'probe', checkSource),
    'open-replication': guarded(deps, 'release', openReplication),
    'close-replication': guarded(deps, 'release', closeReplication),
    'make-synchronous': guarded(deps, 'release', makeSynchronous),
    'stop-writes': guarded(deps, 'release', stopWritesAtSource),
    'resume-writes': guarded(deps, 'release', resumeWritesAtSource),
    'retire-source': guarded(deps, 'release', retireSource),
  };
}

async function checkSource(call: Call): Promise<CheckSourceResult> {
  const { worker, source, input } = call;
  const site = input.plan.from;
  const { live, summary } = await liveState(worker, site, source);
  if (!live) throw new DrError('STANDBY_IS_ANOTHER', { site, reason: `it does not serve: ${summary}` });
  const proofs: Proof[] = [proof('the source serves', true, 'stores run, no fence', summary)];
  const stores: SourceStore[] = [];
  await atDatabase(call, async (client) => {
    const facts = await primaryFacts(client);
    const { slots } = await slotsLeft(client, input.plan.to);
    const right: [string, boolean, string, string][] = [
      ['PostgreSQL is written to', !facts.inRecovery, 'no standby itself', String(!facts.inRecovery)],
      ['wal_level', facts.walLevel !== 'minimal', 'replica or logical', facts.walLevel],
      ['max_wal_senders', facts.maxWalSenders >= 3, 'at least 3', String(facts.maxWalSenders)],
      ['max_replication_slots', slots > 0, 'at least one free', `${slots} free of ${facts.maxSlots}`],
      ['data checksums or wal_log_hints', facts.rewindable, 'on, for pg_rewind', String(facts.rewindable)],
    ];
    for (const [name, ok, expected, actual] of right) {
      if (!ok)
        throw new DrError('SOURCE_UNFIT', {
          ...{ store: 'the database', site },
          reason: `${name}: ${actual}; expected ${expected}`,
        });
      proofs.push(proof(name, ok, expected, actual));
    }
    const { rows } = await client.query<{ bytes: string }>(
      'SELECT sum(pg_database_size(datname))::text AS bytes FROM pg_database WHERE datallowconn',
    );
    stores.push({
      ...{ store: 'database', systemIdentifier: facts.systemIdentifier, version: facts.version },
      bytes: Number(rows[0]!.bytes),
    });
  });
  if (servesMongo(call)) {
    const found = await checkMongoSource(call);
    proofs.push(...found.proofs);
    stores.push(found.store);
  }
  await atRedis(call, async (client) => {
    const { role } = await redisPosition(client);
    proofs.push(...(await namedBySentinels(call)));
    if (role !== 'master')
      throw new DrError('SOURCE_UNFIT', { store: 'redis', site, reason: 'it is a replica itself' });
    proofs.push(proof('Redis is written to', true, 'a master', role));
    stores.push({ store: 'redis' });
  });
  return { summary: `${site} serves, and its stores can be followed`, proofs, stores };
}

/** @throws DrError SENTINEL_NAMES_ANOTHER: who follows the source would follow one whom nobody writes to */
async function namedBySentinels({ source, input, secret }: Call): Promise<Proof[]> {
  const redis = source.redis!;
  const group = await sentinelsOf(redis, secret);
  if (!group) return [];
  const { master } = await withSentinels(group, settledView);
  const [actual, expected] = [addressText(master), addressText(redis)];
  if (!(await sameAddress(master, redis)))
    throw new DrError('SENTINEL_NAMES_ANOTHER', {
      ...{ name: group.name, site: input.plan.from, actual, expected },
    });
  return [proof('Redis is the master by its Sentinels', true, expected, actual)];
}

/** Free ones; that of this standby counts as free. */
async function slotsLeft(client: Postgres, to: string): Promise<{ slots: number }> {
  const { rows } = await client.query<{ slots: number }>(
    `SELECT current_setting('max_replication_slots')::int - count(*)::int AS slots
       FROM pg_replication_slots WHERE slot_name <> $1`,
    [slotOf(to)],
  );
  return rows[0]!;
}

async function openReplication(call: Call): Promise<StepResult> {
  const { deployment, input } = call;
  const done: string[] = [];
  await atDatabase(call, async (client) => {
    const { user, password, keepBytes } = deployment.replication!.database!;
    // The standby that is made anew confirms nothing meanwhile: no commit may wait for it, ours neither.
    await setSynchronous(client, undefined);
    await limitSlots(client, keepBytes);
    await ensureReplicationRole(client, user, await call.secret(password));
    const slot = slotOf(input.plan.to);
    done.push(`role ${user}`, `slot ${slot}${(await ensureSlot(client, slot)) ? '' : ' (there already)'}`);
  });
  if (servesMongo(call)) done.push(await openMongo(call));
  await atRedis(call, async (client) => {
    await ensureBacklog(client, deployment.replication!.redis.backlogBytes);
    done.push('backlog of Redis');
    if (!isWatched(call.source.redis!)) return;
    // One day the Sentinels will make it follow.
    await ensureMasterLogin(client, await redisEndpoint(call.source.redis!, call.secret));
    done.push('its login as a replica');
  });
  return { summary: done.join(', ') || 'no store of the source is on this host' };
}

/** Without a standby the slot would keep WAL until the disk is full. */
async function closeReplication(call: Call): Promise<StepResult> {
  if (servesMongo(call)) return { summary: await closeMongo(call) };
  const slot = slotOf(call.input.plan.to);
  let summary = 'nothing to close';
  await atDatabase(call, async (client) => {
    await setSynchronous(client, undefined);
    summary = (await dropSlot(client, slot)) ? `slot ${slot} dropped` : `there was no slot ${slot}`;
  });
  return { summary };
}

async function makeSynchronous(call: Call): Promise<StepResult> {
  const { synchronous } = call.input.plan.replicate!;
  let summary = servesMongo(call)
    ? 'MongoDB: whom a write waits for is its write concern, which Tyk sets'
    : 'no database is on this host';
  await atDatabase(call, async (client) => {
    await setSynchronous(client, synchronous ? slotOf(call.input.plan.to) : undefined);
    summary = synchronous ? `commits wait for ${call.input.plan.to}` : 'commits wait for no standby';
  });
  return { summary };
}

async function stopWritesAtSource(call: Call): Promise<StopWritesResult> {
  const { worker, source, input, signal } = call;
  const { from } = input.plan;
  const ends: { store: 'redis' | 'database'; position: string }[] = [];
  let moved = false;
  for (const component of writersOf(call))
    await stopServices(servicesOf(from, source, { component, worker }), signal);
  if (servesMongo(call)) ends.push({ store: 'database', position: await handOverMongo(call) });
  await atDatabase(call, async (client) => {
    await stopWrites(client);
    ends.push({ store: 'database', position: (await primaryPosition(client)).lsn });
  });
  await atRedis(call, async (client) => {
    // Nobody writes to one that Sentinels have made a replica: it has ended where it was parted from its clients.
    if (isWatched(source.redis!) && (await redisPosition(client)).role === 'replica') {
      moved = true;
      return;
    }
    await stopTakingWrites(client, source.stateDir);
    ends.push({ store: 'redis', position: String((await redisPosition(client)).offset) });
  });
  const where = [
    ...ends.map(({ store, position }) => `${store} ends at ${position}`),
    ...(moved ? ['redis is a replica: the Sentinels have its master elsewhere'] : []),
  ].join(', ');
  const elected = servesMongo(call)
    ? `; the replica set has elected the member of ${input.plan.to} (${NOT_PROVEN})`
    : '';
  return { summary: `${where}${elected}` || 'no store is on this host', ends };
}

async function resumeWritesAtSource(call: Call): Promise<StepResult> {
  const { worker, source, input, signal } = call;
  const resumed: string[] = [];
  const turned = await mastersElsewhere(call);
  const follows = turned === undefined || (await refuseHeldWrites(turned, signal));
  await atRedis(call, async (client) => {
    if (follows) await takeWritesAgain(client, source.stateDir);
    if (!turned) resumed.push('Redis');
  });
  await atDatabase(call, async (client) => {
    await resumeWrites(client);
    resumed.push('database');
  });
  if (servesMongo(call)) resumed.push(await takeBackMongo(call));
  for (const component of [...writersOf(call)].reverse())
    for (const service of servicesOf(input.plan.from, source, { component, worker }))
      if (await startService(service, signal)) resumed.push(component === 'pump' ? 'Pump' : 'Dashboard');
  const redis = turned
    ? `; the Sentinels have its master elsewhere${follows ? '' : ', and Redis here does not follow it yet: it goes on refusing writes'}`
    : '';
  return { summary: `${resumed.join(', ') || 'nothing'} written to again at ${input.plan.from}${redis}` };
}

/** The source's own server, where Sentinels have made another one the master while it was held. */
async function mastersElsewhere({ worker, source, secret }: Call): Promise<RedisEndpoint | undefined> {
  const { redis } = source;
  const group = redis && serves(worker, source, redis) ? await sentinelsOf(redis, secret) : undefined;
  if (!redis || !group) return undefined;
  // Where they cannot be asked nothing speaks against it.
  const view = await withSentinels(group, settledView).catch(() => undefined);
  if (!view || (await sameAddress(view.master, redis))) return undefined;
  return redisEndpoint(redis, secret);
}

async function retireSource({ worker, source, input, signal }: Call): Promise<StepResult> {
  const site = input.plan.from;
  const stopped = await stopServices(servicesOf(site, source, { worker }).reverse(), signal);
  return {
    summary: `${site}: ${stopped.length > 0 ? `stopped ${stopped.join(', ')}` : 'nothing ran any more'}`,
    observed: stopped.length === 0,
  };
}

/** A client of a replica set goes on at its next primary: before roles are exchanged, nobody of the source may. */
const writersOf = ({ source }: Call): readonly ('dashboard' | 'pump')[] =>
  isMongo(source) ? ['pump', 'dashboard'] : ['dashboard'];

const servesMongo = ({ worker, source }: Call): boolean =>
  isMongo(source) && serves(worker, source, source.database);

/** Where this host has the source's database. */
async function atDatabase(call: Call, work: (client: Postgres) => Promise<void>): Promise<void> {
  const { worker, source } = call;
  if (source.database?.kind !== 'postgresql' || !serves(worker, source, source.database)) return;
  await withPostgres(await adminConnection(clusterOf(source), call.secret), work);
}

async function atRedis(call: Call, work: (client: Redis) => Promise<void>): Promise<void> {
  const { worker, source } = call;
  if (!source.redis || !serves(worker, source, source.redis)) return;
  await withRedis(await redisEndpoint(source.redis, call.secret), work);
}
