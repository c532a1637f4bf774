import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeStandbyMark } from '../../adapters/host/standby-mark.ts';
import { queryValue, waitReady, withClient } from '../../adapters/postgres/client.ts';
import { siteArchiveCommand } from '../../adapters/postgres/pgbackrest-config.ts';
import {
  ensureReplicationRole,
  ensureSlot,
  limitSlots,
  setSynchronous,
  slotOf,
} from '../../adapters/postgres/replication.ts';
import { copyPrimary, makeStandby, passfileOf } from '../../adapters/postgres/standby-files.ts';
import { awaitLink, follow } from '../../adapters/redis/replica.ts';
import { runBeacon } from '../../activities/beacon.ts';
import { checkReplication } from '../../activities/doctor/replication.ts';
import type { Deps } from '../../activities/guard.ts';
import { createCommitsActivities } from '../../activities/standby/commits.ts';
import { replicationFigures } from '../../activities/standby/figures.ts';
import { proveReplicas } from '../../activities/standby/prove-replicas.ts';
import { measureHost } from '../../activities/measure.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { call } from '../../adapters/tyk/http.ts';
import type { Config, Deployment } from '../../domain/config.ts';
import { serveMetrics } from '../../worker/metrics.ts';
import type { HostFigures } from '../../domain/figures.ts';
import { judgeDrift } from '../../domain/judge-drift.ts';
import { judgeReplication } from '../../domain/judge-replication.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import { Secret } from '../../domain/secret.ts';
import type { StepInput } from '../../domain/plan.ts';
import { standbyExposure } from '../../domain/standby-exposure.ts';
import { ageIdentity } from '../harness/deployment.ts';
import { ADMIN_PASSWORD, startTestCluster, type TestCluster } from '../harness/postgres.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';

/** A real standby of real stores with a beacon, watched while all is idle, while its door is locked, and while it is away. */

const RUNS = { start: ['true'], stop: ['true'], status: ['true'] };
const KEEP_BYTES = 1_073_741_824;
const MAX_LAG_MS = 3_000;

let dir: string;
let postgres: TestCluster;
let standby: TestCluster;
let redis: TestRedis;
let replica: TestRedis;
let deps: Deps;
const secrets: Record<string, Secret> = {
  'env:REDIS-primary': REDIS_PASSWORD,
  'env:REDIS-dr': REDIS_PASSWORD,
  'env:ADMIN': ADMIN_PASSWORD,
  'env:FOLLOW': new Secret('the password: of a role\\'),
};
const end = new AbortController();
let beacon: Promise<void> | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-standby-test-'));
  [postgres, standby, redis, replica] = await Promise.all([
    startTestCluster(),
    startTestCluster(),
    startTestRedis(),
    startTestRedis(),
  ]);
  const site = (name: string, cluster: TestCluster, { endpoint, configFile }: TestRedis): unknown => ({
    ...{ worker: name, gateways: [], network: [], stateDir: join(dir, name) },
    redis: {
      ...{
        host: '127.0.0.1',
        port: endpoint.port,
        password: `env:REDIS-${name}`,
        method: 'files',
        database: 0,
      },
      ...{ service: RUNS, configFile },
    },
    database: { ...cluster.config, admin: { user: 'postgres', password: 'env:ADMIN' }, service: RUNS },
  });
  const deployment = {
    ...{ tier: 'critical', strategy: 'pilot-light', objectives: {} },
    replication: {
      maxLag: MAX_LAG_MS,
      database: { user: 'tyk_dr_replication', password: 'env:FOLLOW', keepBytes: KEEP_BYTES },
    },
    beacon: { interval: 1_000, keep: 600_000 },
    backup: { repository: join(dir, 'sets'), copies: [], trustedKeys: [] },
    sites: { primary: site('primary', postgres, redis), dr: site('dr', standby, replica) },
  } as unknown as Deployment;
  for (const folder of ['primary', 'dr']) await mkdir(join(dir, folder));
  deps = {
    worker: 'primary',
    deployment: () => deployment,
    digest: () => '',
    secret: (reference) => Promise.resolve(secrets[reference]!),
    usedSecrets: () => [],
  };
  await Promise.all([followPostgres(), followRedis()]);
  await writeStandbyMark(join(dir, 'dr'), { of: 'primary', run: 'rep-1', at: new Date().toISOString() });
  beacon = runBeacon({
    ...{ deps, deployment: 'acme', siteName: 'primary', signal: end.signal },
    say: () => undefined,
  });
});
afterAll(async () => {
  end.abort();
  await beacon;
  await Promise.all([postgres?.close(), standby?.close(), redis?.close(), replica?.close()]);
  await rm(dir, { recursive: true, force: true });
});

/** As `replicate` does it. */
async function followPostgres(): Promise<void> {
  const password = secrets['env:FOLLOW']!;
  const slot = slotOf('dr');
  await withClient(postgres.admin, async (client) => {
    await ensureReplicationRole(client, 'tyk_dr_replication', password);
    await ensureSlot(client, slot);
    await limitSlots(client, KEEP_BYTES);
  });
  await standby.stop();
  const { host, port } = postgres.config;
  const making = {
    cluster: standby.config,
    stagingDir: standby.config.dataDir,
    following: {
      source: { host, port, user: 'tyk_dr_replication', database: 'postgres', password },
      ...{ slot, name: slot },
    },
  };
  await copyPrimary(making);
  await makeStandby(making, { command: siteArchiveCommand(standby.config, standby.repository) });
  // The copy has the primary's own file.
  await standby.start(standby.config.dataDir, [
    `port=${standby.config.port}`,
    `unix_socket_directories=${join(standby.dir, 'run')}`,
  ]);
  await (await waitReady(standby.admin, { deadlineMs: 20_000 })).end();
}

async function followRedis(): Promise<void> {
  await follow(replica.endpoint, redis.endpoint, false);
  await awaitLink(replica.endpoint, { timeoutMs: 20_000 });
}

/** What the workers of both sites measure now. */
async function figures(): Promise<HostFigures[]> {
  return Promise.all(
    ['primary', 'dr'].map(async (site) => {
      const live = site === 'primary';
      const own = { ...deps, worker: site };
      const replication = await replicationFigures(own, 'acme', site, live);
      return {
        ...{ site, worker: site, measuredAt: new Date().toISOString(), live, serves: [], points: [] },
        ...{ problems: [], ...(replication ? { replication } : {}) },
      };
    }),
  );
}

const standingIn = (hosts: readonly HostFigures[], store: MarkedStore) =>
  hosts[1]!.replication!.standing!.find((each) => each.store === store)!;

type Standing = ReturnType<typeof standingIn>;

async function until(store: MarkedStore, holds: (standing: Standing) => boolean): Promise<HostFigures[]> {
  let hosts: HostFigures[] = [];
  await expect
    .poll(
      async () => {
        hosts = await figures();
        return holds(standingIn(hosts, store));
      },
      { timeout: 20_000, interval: 100 },
    )
    .toBe(true);
  return hosts;
}

/** What is not well, a line each. */
const told = (hosts: readonly HostFigures[]): string[] =>
  judgeReplication(hosts)
    .filter(({ severity }) => severity !== 'ok')
    .map(({ severity, where, message }) => `${severity} ${where}: ${message}`);

async function doctorAt(site: 'primary' | 'dr'): Promise<string[]> {
  const found = await checkReplication({
    ...{ worker: site, deploymentName: 'acme', deployment: deps.deployment('acme'), siteName: site },
    ...{ site: deps.deployment('acme').sites[site]!, where: site, live: site === 'primary', nonce: '' },
    ...{ signal: end.signal, secret: (reference) => deps.secret(reference) },
  });
  return found.map(({ severity, message }) => `${severity} ${message}`);
}

/** What the step says that proves a new standby, on the standby's host. */
async function proven(): Promise<string[]> {
  const { sites } = deps.deployment('acme');
  const { proofs } = await proveReplicas({
    ...{ worker: 'dr', deployment: deps.deployment('acme'), target: sites['dr']!, source: sites['primary']! },
    ...{ signal: new AbortController().signal, progress: () => undefined },
    input: { plan: { deployment: 'acme', from: 'primary', to: 'dr' } } as StepInput,
    secret: (reference) => deps.secret(reference),
  });
  return proofs!.map(({ name, verdict, actual }) => `${verdict}: ${name}: ${actual}`);
}

test('a standby is proven by a watermark that is written while one looks', async () => {
  const lines = await proven();
  for (const store of ['redis', 'database'])
    expect(lines).toContainEqual(
      expect.stringMatching(`^pass: a watermark of the last seconds is in ${store}: .* behind$`) as string,
    );
});

test('an idle primary is not taken for a lag, whatever the tools say of it', async () => {
  await until('redis', ({ markedAt }) => markedAt !== undefined);
  await until('database', ({ markedAt }) => markedAt !== undefined);
  // PostgreSQL's own guess is the age of the last commit that was replayed: it grows while nobody writes.
  const guess = (): Promise<number> =>
    withClient(standby.admin, (client) =>
      queryValue<number>(
        client,
        'SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float * 1000',
      ),
    );
  end.abort();
  await beacon;
  await expect.poll(guess, { timeout: 10_000, interval: 100 }).toBeGreaterThan(1_500);
  const hosts = await figures();
  for (const store of ['redis', 'database'] as const)
    expect(standingIn(hosts, store)).toMatchObject({ role: 'follows', streaming: true, lagMs: 0 });
  expect(told(hosts)).toEqual([]);
  // What would be lost is another matter: no watermark says of the last seconds that they have arrived.
  expect(standbyExposure(hosts, 'primary', 'database')!.exposureMs).toBeGreaterThan(1_000);
});

test('a beacon that stands still is no proof, however level its last watermark is', async () => {
  const lines = await proven();
  for (const store of ['redis', 'database']) {
    expect(lines).toContainEqual(expect.stringMatching(`^pass: ${store} streams: follows, `) as string);
    expect(lines).toContainEqual(
      expect.stringMatching(
        `^not-measured: a watermark of the last seconds is in ${store}: .*the beacon of primary writes none; the newest here is of 20`,
      ) as string,
    );
  }
});

/** What Prometheus reads from the worker of a site, without the labels that all have, and times and sizes as such. */
async function scraped(site: 'primary' | 'dr'): Promise<Record<string, number>> {
  const listen = `127.0.0.1:${await freePort()}`;
  const config = { deployments: { acme: deps.deployment('acme') } } as unknown as Config;
  const away = new Client({ connection: Connection.lazy({ address: `127.0.0.1:${await freePort()}` }) });
  const server = await serveMetrics(config, { ...deps, worker: site }, listen, away);
  try {
    const { body } = await call(`http://${listen}/metrics`);
    const lines = body.split('\n').filter((line) => /^tyk_dr_(replica|slot)_/.test(line));
    return Object.fromEntries(
      lines.map((line) => {
        const [, name, value] = /^(\S+) (.+)$/.exec(line)!;
        return [name!.replace(`deployment="acme",site="${site}"`, '').replace(/\{,?\}?/, '{'), Number(value)];
      }),
    );
  } finally {
    server.close();
  }
}

test('metrics tell of each store and of the slot what is measured, each by the worker that sees it', async () => {
  const standing = await scraped('dr');
  for (const store of ['redis', 'database']) {
    expect(standing[`tyk_dr_replica_streaming{store="${store}"}`]).toBe(1);
    expect(standing[`tyk_dr_replica_lag_seconds{store="${store}"}`]).toBe(0);
    expect(standing[`tyk_dr_replica_lag_bytes{store="${store}"}`]).toBeGreaterThanOrEqual(0);
    const markedAt = standing[`tyk_dr_replica_marked_timestamp_seconds{store="${store}"}`]!;
    expect(Date.now() / 1000 - markedAt).toBeLessThan(60);
  }
  expect(standing['tyk_dr_replica_max_lag_seconds{']).toBe(MAX_LAG_MS / 1000);
  const slots = await scraped('primary');
  expect(slots).toMatchObject({
    'tyk_dr_slot_active{standby="dr"}': 1,
    'tyk_dr_slot_lost{standby="dr"}': 0,
    'tyk_dr_slot_limit_bytes{': KEEP_BYTES,
  });
  expect(slots['tyk_dr_slot_held_bytes{standby="dr"}']).toBeGreaterThanOrEqual(0);
  expect(slots['tyk_dr_slot_disk_free_bytes{']).toBeGreaterThan(0);
  expect(Object.keys(slots).filter((name) => name.includes('lag_seconds{store'))).toEqual([]);
});

test('drift is measured by each host for one look, and shows nothing of what it compares', async () => {
  const gateways = async (site: string, conf: object) => {
    const root = join(dir, `gateway-of-${site}`);
    await mkdir(root);
    await writeFile(join(root, 'tyk.conf'), JSON.stringify(conf));
    const tree = { root, config: 'tyk.conf', include: [], url: 'http://127.0.0.1:1' };
    return [{ name: 'gw1', ...tree, service: RUNS }];
  };
  const { sites, ...rest } = deps.deployment('acme');
  const { identity } = await ageIdentity();
  const own = {
    ...{ ...rest, secrets: {} },
    backup: { ...rest.backup, identity: 'env:AGE' },
    sites: {
      primary: { ...sites['primary']!, gateways: await gateways('primary', { a: 1, b: 'pr1mary' }) },
      dr: { ...sites['dr']!, gateways: await gateways('dr', { a: 1, b: 'dr' }) },
    },
  } as unknown as Deployment;
  const look = async (site: string, nonce?: string): Promise<HostFigures> => {
    const secret: Deps['secret'] = (reference) =>
      reference === 'env:AGE' ? Promise.resolve(identity) : deps.secret(reference);
    return measureHost({ ...deps, worker: site, deployment: () => own, secret }, 'acme', site, nonce);
  };
  const hosts = await Promise.all(['primary', 'dr'].map((site) => look(site, 'one look')));
  expect(hosts.flatMap(({ problems }) => problems)).toEqual([]);
  const found = judgeDrift(
    hosts.map(({ site, prints }) => ({ site, ...prints! })),
    hosts,
  );
  expect(found.map(({ where, message }) => `${where}: ${message}`)).toEqual([
    'dr: gateway gw1 differs from gateway gw1 of primary in tyk.conf: b',
  ]);
  expect(JSON.stringify(hosts)).not.toMatch(/pr1mary/);
  expect((await look('dr')).prints).toBeUndefined();
});

test('a door that would not open again is found while the stream still runs', async () => {
  expect(await doctorAt('primary')).toEqual([
    'ok PostgreSQL can be followed: wal_level replica, role tyk_dr_replication',
  ]);
  expect((await doctorAt('dr')).sort()).toEqual([
    'ok PostgreSQL follows as tyk_dr_replication, also after a restart',
    `ok Redis follows 127.0.0.1 ${redis.endpoint.port}, also after a restart`,
  ]);
  const right = secrets['env:FOLLOW']!;
  secrets['env:FOLLOW'] = new Secret('another one');
  await replica.client().config('SET', 'masterauth', 'another one');
  const passfile = passfileOf(standby.config);
  const wrong = await doctorAt('dr');
  expect(wrong.join('\n')).toMatch(
    /^error the role tyk_dr_replication cannot follow from here: .*password authentication failed/m,
  );
  expect(wrong).toContain(
    `error ${passfile} holds another password than replication.database: the stream cannot begin again`,
  );
  expect(wrong.join('\n')).toMatch(/^error masterauth is not the password of the Redis that it follows/m);
  expect(wrong.join('\n')).not.toMatch(/another one|of a role/);
  expect(told(await figures())).toEqual([]);
  secrets['env:FOLLOW'] = right;
  await replica.client().config('SET', 'masterauth', REDIS_PASSWORD.reveal());

  await chmod(passfile, 0o640);
  const text = await readFile(replica.configFile, 'utf8');
  await writeFile(replica.configFile, text.replaceAll(/^replicaof.*$/gm, ''));
  const lines = (await doctorAt('dr')).join('\n');
  expect(lines).toMatch(/^error .*tyk-dr-replication.pgpass has mode 640; expected 600/m);
  expect(lines).toMatch(/^error after a restart Redis would be a master: .*redis.conf has no replicaof/m);
  await chmod(passfile, 0o600);
  await writeFile(replica.configFile, text);
});

test('a standby that is cut off and then gone: the lag grows by what was written, and so does what is kept for it', async () => {
  await withClient(postgres.admin, async (client) => {
    await client.query(`ALTER ROLE tyk_dr_replication PASSWORD 'not what the standby has'`);
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  });
  await redis.client().config('SET', 'requirepass', 'not what the replica has');
  secrets['env:REDIS-primary'] = new Secret('not what the replica has');
  await redis.client().call('CLIENT', 'KILL', 'TYPE', 'replica');
  await expect
    .poll(async () => (await figures())[0]!.replication!.slots!.slots[0]!.active, { timeout: 20_000 })
    .toBe(false);
  const before = (await figures())[0]!.replication!.slots!;
  const later = new AbortController();
  const writing = runBeacon({
    ...{ deps, deployment: 'acme', siteName: 'primary', signal: later.signal },
    say: () => undefined,
  });
  await withClient(postgres.admin, (client) =>
    client.query(`CREATE TABLE much AS SELECT n, repeat('x', 900) FROM generate_series(1, 20000) AS n`),
  );
  const hosts = await until('database', ({ lagMs = 0 }) => lagMs > MAX_LAG_MS);
  later.abort();
  await writing;
  expect(standingIn(hosts, 'database')).toMatchObject({ role: 'follows', streaming: false });
  const slots = hosts[0]!.replication!.slots!;
  expect(slots).toMatchObject({ keepBytes: KEEP_BYTES, slots: [{ site: 'dr', active: false }] });
  expect(slots.slots[0]!.heldBytes - before.slots[0]!.heldBytes).toBeGreaterThan(18_000_000);
  expect(slots.freeBytes).toBeGreaterThan(0);
  const lines = told(hosts);
  expect(lines).toContainEqual(
    expect.stringMatching(/^error dr: database a replica whose stream stands still/) as string,
  );
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^error primary: the slot for dr holds back \d+(\.\d)? MB of at most 1.1 GB, .* are free: nobody reads it$/,
    ) as string,
  );
  // A stream that stands still says nothing of what would be lost.
  for (const store of ['redis', 'database'] as const)
    expect(standbyExposure(hosts, 'primary', store), store).toBeUndefined();
  const metrics = await scraped('dr');
  expect(metrics['tyk_dr_replica_streaming{store="database"}']).toBe(0);
  expect(metrics['tyk_dr_replica_lag_seconds{store="database"}']).toBeGreaterThan(MAX_LAG_MS / 1000);
  expect((await scraped('primary'))['tyk_dr_slot_active{standby="dr"}']).toBe(0);

  await standby.kill();
  expect(told(await figures())).toContainEqual(
    expect.stringMatching(/^error dr: database not reachable: /) as string,
  );
});

test('commits that wait for it: said, without the beacon taking every connection, and let go by a word', async () => {
  await withClient(postgres.admin, (client) => setSynchronous(client, slotOf('dr')));
  const later = new AbortController();
  const writing = runBeacon({
    ...{ deps, deployment: 'acme', siteName: 'primary', signal: later.signal },
    say: () => undefined,
  });
  const waiting = (): Promise<string> =>
    withClient(postgres.admin, (client) =>
      queryValue<string>(
        client,
        `SELECT coalesce(string_agg(pid::text, ' '), '') FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
      ),
    );
  await expect.poll(waiting, { timeout: 20_000, interval: 100 }).toMatch(/^\d+$/);
  const first = await waiting();
  // It gives a connection up and opens another: never two at once.
  await expect.poll(waiting, { timeout: 20_000, interval: 20 }).toMatch(new RegExp(`^(?!${first}$)\\d+`));
  expect(await waiting()).toMatch(/^\d+$/);
  expect(told(await figures())).toContainEqual(
    expect.stringMatching(
      /^error primary: WRITES STAND STILL: commits of the database wait for FIRST 1 \("tyk_dr_dr"\), which confirms none \(1 wait now\)$/,
    ) as string,
  );
  const setCommits = (wait: boolean): Promise<unknown> =>
    createCommitsActivities(deps)['set-commits']({
      ...{ deployment: 'acme', from: 'primary', to: 'dr', workers: ['primary'], wait },
    });
  await expect(setCommits(true)).rejects.toThrow(/does not stream from primary now/);
  expect(await setCommits(false)).toMatch(/^commits wait for no standby; 1 that waited have ended/);
  await withClient(postgres.admin, (client) => client.query('CREATE TABLE goes_on (n int)'));
  later.abort();
  await writing;
  expect(told(await figures()).join()).not.toContain('STAND STILL');
});
