import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { listFolders } from '../adapters/host/listing.ts';
import { listenersOn } from '../adapters/host/sockets.ts';
import { queryValue, withClient as withPostgres } from '../adapters/postgres/client.ts';
import { parseInfo, withClient as withRedis } from '../adapters/redis/client.ts';
import type { LookItem, LookResult } from '../domain/live-look.ts';
import { isOneServer } from '../domain/redis-kind.ts';
import { methodOf } from './database/choose.ts';
import { adminConnection, redisEndpoint } from './endpoints.ts';
import { guardedLook, type Deps, type LiveCall } from './guard.ts';
import { addressesOn, serves, treesOn } from './site.ts';

/** The live site as a drill must leave it. It is only read; `domain/live-look.ts` compares. */

export function createObserveLiveActivities(deps: Deps) {
  return {
    'observe-live': guardedLook(deps, (call) => look(call, false)),
    'compare-live': guardedLook(deps, (call) => look(call, true)),
  };
}

async function look(call: LiveCall, traces: boolean): Promise<LookResult> {
  const looks = (
    await Promise.all([
      processes(call),
      configurations(call),
      guardedItem('redis', () => redis(call)),
      guardedItem('database', () => database(call)),
      ...(traces ? [guardedItem('traces of the drill', () => tracesOf(call))] : []),
    ])
  ).flat();
  const seen = looks.filter(({ rule }) => rule !== 'unseen').length;
  return { summary: `${seen} things seen of ${call.input.plan.from}`, looks };
}

/** What cannot be seen is said, and is no proof; it ends no drill. */
async function guardedItem(what: string, items: () => Promise<LookItem[]>): Promise<LookItem[]> {
  try {
    return await items();
  } catch (error) {
    return [{ what, value: error instanceof Error ? error.message : String(error), rule: 'unseen' }];
  }
}

/** A process that was started anew is another one, whatever it serves. */
async function processes({ worker, live, input }: LiveCall): Promise<LookItem[]> {
  const addresses = addressesOn(worker, input.plan.from, live);
  const found = await listenersOn(addresses.map(({ port }) => port));
  return addresses.map(({ name, port }): LookItem => {
    const what = `${name}: process on port ${port}`;
    const listener = found.get(port);
    return listener
      ? { what, value: `pid ${listener.pid}, started at tick ${listener.startedAt}`, rule: 'same' }
      : { what, value: 'no process to be seen', rule: process.getuid?.() === 0 ? 'same' : 'unseen' };
  });
}

async function configurations({ worker, live }: LiveCall): Promise<LookItem[]> {
  return Promise.all(
    treesOn(worker, live).map(async ({ kind, name, root, config, include }): Promise<LookItem> => {
      const paths = [config, ...include].map((path) => join(root, path));
      const files = Object.entries(await listFolders(paths, () => false));
      const digest = createHash('sha256');
      for (const [path, kind] of files) {
        digest.update(`${path}\0`);
        if (kind.endsWith('Z'))
          for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
      }
      const value = `${files.length} entries, ${digest.digest('hex').slice(0, 16)}`;
      const what = `${kind === 'gateway' ? `gateway ${name}` : name}: configuration`;
      return { what, value, rule: 'same' };
    }),
  );
}

/** Its own clients go on writing: what they cannot do is restart it, empty it, or make another one its master. */
async function redis({ worker, live, secret }: LiveCall): Promise<LookItem[]> {
  const config = live.redis;
  if (!config || !serves(worker, live, config) || !isOneServer(config)) return [];
  return withRedis(await redisEndpoint(config, secret), async (client) => {
    const sections = ['server', 'replication', 'commandstats'];
    const info = parseInfo((await Promise.all(sections.map((name) => client.info(name)))).join('\r\n'));
    const calls = (name: string): number =>
      Number(/calls=(\d+)/.exec(info[`cmdstat_${name}`] ?? '')?.[1] ?? 0);
    return [
      { what: 'redis: run', value: info['run_id'] ?? 'unknown', rule: 'same' },
      { what: 'redis: role', value: info['role'] ?? 'unknown', rule: 'same' },
      { what: 'redis: replicas', value: info['connected_slaves'] ?? 'unknown', rule: 'same' },
      { what: 'redis: replication offset', value: info['master_repl_offset'] ?? 'unknown', rule: 'onward' },
      { what: 'redis: times emptied', value: String(calls('flushall') + calls('flushdb')), rule: 'same' },
    ];
  });
}

async function database(call: LiveCall): Promise<LookItem[]> {
  const { worker, live, secret } = call;
  const config = live.database;
  if (!config || !serves(worker, live, config)) return [];
  const { apis, policies } = await methodOf(config).definitions({ site: live, secret });
  const counts: LookItem[] = [
    { what: 'database: API definitions', value: String(apis.length), rule: 'onward' },
    { what: 'database: policies', value: String(policies.length), rule: 'onward' },
  ];
  if (config.kind !== 'postgresql') return counts;
  return withPostgres(await adminConnection(config, secret), async (client) => [
    ...counts,
    {
      what: 'database: cluster and timeline',
      value: await queryValue<string>(
        client,
        `SELECT s.system_identifier || ', timeline ' || c.timeline_id
         FROM pg_control_system() s, pg_control_checkpoint() c`,
      ),
      rule: 'same',
    },
    {
      what: 'database: WAL position (bytes)',
      value: await queryValue<string>(client, `SELECT (pg_current_wal_lsn() - '0/0')::text`),
      rule: 'onward',
    },
    {
      what: 'database: replicas and slots',
      value: await queryValue<string>(
        client,
        `SELECT (SELECT count(*) FROM pg_stat_replication WHERE application_name NOT LIKE 'pg_basebackup%')
             || ' and ' || (SELECT count(*) FROM pg_replication_slots)`,
      ),
      rule: 'same',
    },
  ]);
}

/** The requests of a drill's proofs bear its run: none of them may have reached the live site. */
async function tracesOf(call: LiveCall): Promise<LookItem[]> {
  const { worker, live, input } = call;
  const { database: config } = live;
  if (!config || !serves(worker, live, config) || input.plan.drill === undefined) return [];
  const marker = `tyk-dr-${input.run}-${input.epoch}`;
  const count = await methodOf(config).countAnalytics({ ...call, target: live, source: live }, marker);
  return [{ what: 'database: requests of the drill in the analytics', value: String(count), rule: 'none' }];
}
