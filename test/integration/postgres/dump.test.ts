import { appendFile, chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { listSets, readAttestation, readManifest } from '../../../adapters/backup/repository.ts';
import { queryValue, withClient, type Client } from '../../../adapters/postgres/client.ts';
import { databaseNames } from '../../../adapters/postgres/database-switch.ts';
import { giveTo } from '../../../adapters/postgres/pgbackrest-config.ts';
import { run as execute } from '../../../adapters/process/run.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { PostgresConfig } from '../../../domain/config.ts';
import { Secret } from '../../../domain/secret.ts';
import { callActivity, startActivity, type ActivityCall, type ChildEnd } from '../../harness/activity.ts';
import {
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import { ADMIN_PASSWORD, startTestCluster, type TestCluster } from '../../harness/postgres.ts';

/** The method dump on a real server that is reached by its port only and has no superuser for us, as a managed one. */

const SET = '20260101T000000Z-0001';
const STEP = 'restore-database-data';
const TYK_PASSWORD = new Secret('password of the Dashboard’s user');
/** Enough that a dump and a restore last long enough to be killed in. */
const ROWS = 20_000;

let cluster: TestCluster;
let scene: TestDeployment;
let config: PostgresConfig;
/** What the set holds, row by row. */
let dumped: string;
let part: PartResult;
let wholeMs = 0;
let runs = 0;
let run: string;

beforeAll(async () => {
  cluster = await startTestCluster(['archive_mode = off']);
  const caFile = await onlyByTls();
  const { dataDir: _files, pgbackrest: _repository, service: _commands, ...managed } = cluster.config;
  config = {
    ...managed,
    method: 'dump',
    name: 'tyk_analytics',
    user: 'tyk',
    admin: { user: 'dr_admin' },
    tls: { caFile },
  };
  scene = await writeDeployment(join(cluster.dir, 'config'), {
    database: config,
    passwords: { user: TYK_PASSWORD, admin: ADMIN_PASSWORD },
  });
  const root = join(scene.dir, 'dr', 'gw1');
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'tyk.conf'), '{}');
  await found();
  part = await backUpWhileOthersWrite();
  await takeSet([part, (await backUp('back-up-config')).result as PartResult]);
}, 120_000);
afterAll(() => cluster?.close());

beforeEach(() => {
  runs += 1;
  run = `run-${runs}`;
});

test('two sets of one snapshot: analytics apart, users with the control tables, and nothing of both half', async () => {
  const { manifest } = await readManifest(scene.deployment.backup, 'acme', SET);
  expect(manifest.objects.map(({ name }) => name).sort()).toEqual([
    'definitions',
    'dump-analytics',
    'dump-control',
    'gateway-gw1',
  ]);
  if (manifest.database?.method !== 'dump') throw new Error('the set was not made by a dump');
  const { analyticsTables, counted, roles } = manifest.database;
  expect(analyticsTables).toEqual(['"public"."tyk_aggregated_20260101"', '"public"."tyk_analytics"']);
  expect(roles).toEqual(['reporting', 'tyk']);
  // Each transaction of the writer beside it wrote one row of either.
  expect(counted.rows['public.tyk_apis']).toBe(counted.rows['public.tyk_analytics']! - ROWS);
  expect(counted.rows['public.tyk_apis']).toBeGreaterThan(0);
});

test('verified in a cluster of its own, of which nothing is left', async () => {
  const end = await backUp('verify-set');
  expect(end.error).toBeUndefined();
  const signed = await readManifest(scene.deployment.backup, 'acme', SET);
  const attested = await readAttestation(scene.deployment.backup, 'acme', signed);
  const counted = signed.manifest.database?.method === 'dump' ? signed.manifest.database.counted : undefined;
  expect(attested?.database).toEqual(counted);
  expect(await leftovers()).toEqual([]);
});

test('restored beside the old database and switched in; undone; and discarded at the end', async () => {
  await damage();
  const before = await fingerprint();
  const startedAt = performance.now();
  const end = await callActivity(callOf(STEP));
  wholeMs = performance.now() - startedAt;
  expect(end.error).toBeUndefined();
  expect(end.result!.proofs!.map(({ verdict }) => verdict)).toEqual(['pass', 'pass']);
  expect(await fingerprint()).toBe(dumped);
  // The Dashboard's own user writes on, where the sequence had been.
  await withClient(door(), (client) =>
    client.query(`INSERT INTO tyk_analytics (useragent) VALUES ('after the restore')`),
  );
  await as('postgres', (client) =>
    client.query(`DELETE FROM tyk_analytics WHERE useragent = 'after the restore'`),
  );
  expect(await databases()).toEqual(['tyk_analytics', databaseNames('', run).old]);
  expect((await callActivity(callOf(STEP))).result).toMatchObject({
    observed: true,
    proofs: end.result!.proofs,
  });

  expect((await callActivity(callOf('undo-switch'))).result?.summary).toBe('the old database is back');
  expect(await fingerprint()).toBe(before);
  expect(await databases()).toEqual(['tyk_analytics']);
  expect((await callActivity(callOf('undo-switch'))).result?.summary).toBe('nothing was switched');

  expect((await callActivity(callOf(STEP))).error).toBeUndefined();
  expect((await callActivity(callOf('discard-old-data'))).error).toBeUndefined();
  expect(await databases()).toEqual(['tyk_analytics']);
  expect(await fingerprint()).toBe(dumped);
  expect(await leftovers()).toEqual([]);
});

test('killed at any moment, several times in a row, the next call ends with the right data', async () => {
  await damage();
  const before = await fingerprint();
  for (const share of [0.4, 0.8]) {
    const call = await startActivity(callOf(STEP));
    await Promise.race([call.end, sleep(START_MS + wholeMs * (share + (Math.random() - 0.5) / 5))]);
    call.kill();
    await call.end;
    // The old one or the new one, whole.
    if (await connectable()) expect([before, dumped]).toContain(await fingerprint());
  }
  expect((await callActivity(callOf(STEP))).error).toBeUndefined();
  expect(await fingerprint()).toBe(dumped);
  expect((await callActivity(callOf('discard-old-data'))).error).toBeUndefined();
  expect(await databases()).toEqual(['tyk_analytics']);
});

test('killed between the shutting of the old database and the switch, an undo opens it again', async () => {
  await damage();
  const before = await fingerprint();
  await as(
    'postgres',
    (client) => client.query('ALTER DATABASE tyk_analytics ALLOW_CONNECTIONS false'),
    true,
  );
  expect((await callActivity(callOf('undo-switch'))).error).toBeUndefined();
  expect(await fingerprint()).toBe(before);
});

test('a database of somebody else is neither replaced nor dropped', async () => {
  const before = await fingerprint();
  const { staging } = databaseNames('', run);
  await as('postgres', (client) => client.query(`CREATE DATABASE "${staging}"`), true);
  await as('postgres', (client) => client.query('CREATE TABLE theirs (n int)'), false, staging);
  expect((await callActivity(callOf(STEP))).error?.code).toBe('TARGET_IS_ANOTHER');
  expect((await callActivity(callOf('undo-switch'))).error).toBeUndefined();
  expect(await databases()).toEqual(['tyk_analytics', staging]);
  await as('postgres', (client) => client.query(`DROP DATABASE "${staging}"`), true);

  await as('postgres', (client) => client.query(`UPDATE tyk_organisations SET id = 'another'`));
  const refused = await callActivity(callOf(STEP));
  expect(refused.error).toMatchObject({
    code: 'TARGET_IS_ANOTHER',
    message: expect.stringContaining('that of organisation another') as string,
  });
  expect((await callActivity(callOf('check-target'))).error?.code).toBe('TARGET_IS_ANOTHER');
  await as('postgres', (client) => client.query(`UPDATE tyk_organisations SET id = 'org'`));
  expect(await fingerprint()).toBe(before);
});

test('where the server has neither database nor roles, both are made, and the Dashboard’s user may log in', async () => {
  await as('postgres', (client) => client.query('DROP DATABASE tyk_analytics WITH (FORCE)'), true);
  await as('postgres', (client) => client.query('DROP ROLE tyk, reporting'), true);
  expect((await callActivity(callOf(STEP))).result?.summary).toContain('there was none before');
  expect(await fingerprint()).toBe(dumped);
  expect(await withClient(door(), (client) => queryValue(client, 'SELECT current_user'))).toBe('tyk');
  expect((await callActivity(callOf('undo-switch'))).result?.summary).toContain('there was none before');
  expect(await databases()).toEqual([]);
});

test('a dump of another major version goes into a newer server, and into an older one never', async () => {
  const signed = await readManifest(scene.deployment.backup, 'acme', SET);
  const { database } = signed.manifest;
  if (database?.method !== 'dump') throw new Error('not a dump');
  const takenOn = (majorVersion: number) =>
    signSet(scene, { ...signed.manifest, database: { ...database, majorVersion } });
  await takenOn(database.majorVersion + 1);
  expect((await callActivity(callOf('check-target'))).error?.code).toBe('POSTGRES_TOO_OLD');
  expect((await callActivity(callOf(STEP))).error?.code).toBe('POSTGRES_TOO_OLD');
  await takenOn(database.majorVersion - 1);
  const end = await callActivity(callOf(STEP));
  expect(end.error).toBeUndefined();
  expect(end.result!.proofs!.map(({ verdict }) => verdict)).toEqual(['pass', 'not-measured']);
  expect(await fingerprint()).toBe(dumped);
  expect((await callActivity(callOf('discard-old-data'))).error).toBeUndefined();
});

test('a server that dies under pg_dump leaves neither a set nor its rows in the clear', async () => {
  await as('postgres', async (client) => {
    await client.query('BEGIN');
    await client.query('LOCK TABLE tyk_policies IN ACCESS EXCLUSIVE MODE');
    const other = '20260102T000000Z-0002';
    const call = await startActivity({
      configFile: scene.configFile,
      activity: 'back-up-database',
      input: backupStepOf(scene, 'back-up-database', other),
    });
    await expect
      .poll(() => queryValue(client, 'SELECT count(*) FROM pg_locks WHERE NOT granted'), { timeout: 60_000 })
      .not.toBe('0');
    await cluster.kill();
    expect((await call.end).error?.code).toMatch(/TOOL_FAILED|STORE_UNREACHABLE/);
    const sets = await listSets(scene.deployment.backup, 'acme');
    expect(sets.filter(({ state }) => state !== 'incomplete').map(({ set }) => set)).toEqual([SET]);
    expect(await leftovers()).toEqual([]);
  });
  await cluster.start();
});

/** A child process needs this long before its activity begins. */
const START_MS = 1_500;

/** A managed server takes no connection without. @returns its certificate, which has signed itself */
async function onlyByTls(): Promise<string> {
  const { dataDir, runAs } = cluster.config;
  const [key, certificate] = [join(dataDir, 'server.key'), join(dataDir, 'server.crt')];
  await execute([
    ...[
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
    ],
    ...[
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
  ]);
  await chmod(key, 0o600);
  await giveTo(runAs, key, certificate);
  const rules = 'local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n';
  await writeFile(join(dataDir, 'pg_hba.conf'), rules);
  await appendFile(join(dataDir, 'postgresql.conf'), 'ssl = on\n');
  await cluster.stop();
  await cluster.start();
  const copy = join(cluster.dir, 'ca.crt');
  await copyFile(certificate, copy);
  return copy;
}

/** The Dashboard's tables as an installation makes them, with an owner of their own, a grant and rows enough to be slow. */
async function found(): Promise<void> {
  await as(
    'postgres',
    async (client) => {
      await client.query(`CREATE ROLE tyk LOGIN PASSWORD '${TYK_PASSWORD.reveal()}'`);
      await client.query(
        `CREATE ROLE dr_admin LOGIN CREATEDB CREATEROLE PASSWORD '${ADMIN_PASSWORD.reveal()}'`,
      );
      await client.query('GRANT tyk TO dr_admin');
      await client.query('CREATE ROLE reporting');
      await client.query('CREATE DATABASE tyk_analytics OWNER tyk');
    },
    true,
  );
  await withClient(door(), async (client) => {
    for (const statement of [
      'CREATE TABLE tyk_organisations (id text PRIMARY KEY)',
      `INSERT INTO tyk_organisations VALUES ('org')`,
      'CREATE TABLE tyk_apis (id serial PRIMARY KEY, org_id text REFERENCES tyk_organisations, definition jsonb)',
      'CREATE TABLE tyk_policies (id text PRIMARY KEY)',
      `INSERT INTO tyk_policies VALUES ('a policy')`,
      'CREATE TABLE tyk_analytics_users (id text PRIMARY KEY, access_key text UNIQUE)',
      `INSERT INTO tyk_analytics_users VALUES ('a user', 'a key')`,
      'CREATE TABLE tyk_analytics (id bigserial PRIMARY KEY, useragent text, at timestamptz DEFAULT now())',
      'CREATE INDEX ON tyk_analytics (useragent)',
      `INSERT INTO tyk_analytics (useragent) SELECT 'agent ' || n || repeat('-', 100) FROM generate_series(1, ${ROWS}) n`,
      'CREATE TABLE tyk_aggregated_20260101 (id text PRIMARY KEY, hits bigint)',
      `INSERT INTO tyk_aggregated_20260101 VALUES ('one', 1)`,
      'GRANT SELECT ON tyk_analytics TO reporting',
    ])
      await client.query(statement);
  });
}

/** Every transaction of the writer adds one API and one analytics record. */
async function backUpWhileOthersWrite(): Promise<PartResult> {
  const pair = `WITH api AS (INSERT INTO tyk_apis (org_id, definition) VALUES ('org', '{}'))
                INSERT INTO tyk_analytics (useragent) VALUES ('written beside')`;
  return withClient(door(), async (client) => {
    await client.query(pair);
    let over = false;
    const writing = (async () => {
      while (!over) await client.query(pair);
    })();
    const end = await backUp('back-up-database').finally(() => (over = true));
    await writing;
    expect(end.error).toBeUndefined();
    const made = end.result as PartResult;
    if (made.database?.method !== 'dump') throw new Error('not a dump');
    // What was written behind the snapshot goes, so that the rest is what the set must hold.
    const { rows } = made.database.counted;
    for (const table of ['tyk_apis', 'tyk_analytics'])
      await client.query(
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY id OFFSET ${rows[`public.${table}`]})`,
      );
    dumped = await fingerprint();
    return made;
  });
}

async function takeSet(parts: readonly PartResult[]): Promise<void> {
  const end = await backUp('seal-set', parts, new Date().toISOString());
  expect(end.error).toBeUndefined();
}

function backUp(activity: string, ...more: unknown[]): Promise<ChildEnd> {
  const input = backupStepOf(scene, activity, SET);
  return callActivity({ configFile: scene.configFile, activity, input, more });
}

function callOf(activity: string): ActivityCall {
  const input = stepOf(scene, { run, step: STEP, set: SET, epoch: runs });
  return { configFile: scene.configFile, activity, input };
}

/** Somebody deletes and adds after the set was taken. */
async function damage(): Promise<void> {
  await as('postgres', async (client) => {
    await client.query('DELETE FROM tyk_apis');
    await client.query(`INSERT INTO tyk_policies VALUES ('of ${run}') ON CONFLICT DO NOTHING`);
  });
}

const door = () => ({
  ...{ host: '127.0.0.1', port: config.port, user: 'tyk', database: 'tyk_analytics' },
  password: TYK_PASSWORD,
  tls: config.tls,
});

async function as<T>(
  user: string,
  work: (client: Client) => Promise<T>,
  elsewhere = false,
  database = elsewhere ? 'postgres' : 'tyk_analytics',
): Promise<T> {
  return withClient({ ...cluster.admin, user, database }, work);
}

/** Every row, default, grant and index of the Dashboard's database. */
async function fingerprint(): Promise<string> {
  return as('postgres', async (client) => {
    const tables = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    const parts: string[] = [];
    for (const { name } of tables.rows)
      parts.push(
        `${name} ${await queryValue<string>(client, `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${name} t`)}`,
      );
    parts.push(
      await queryValue(
        client,
        `SELECT string_agg(concat_ws(' ', relname, relkind, relacl::text, pg_get_userbyid(relowner)), ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
      ),
    );
    return parts.join('\n');
  });
}

async function databases(): Promise<string[]> {
  return as(
    'postgres',
    async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT datname AS name FROM pg_database WHERE datname ~ '^tyk' ORDER BY datname`,
      );
      return rows.map(({ name }) => name);
    },
    true,
  );
}

async function connectable(): Promise<boolean> {
  return as(
    'postgres',
    (client) =>
      queryValue(client, `SELECT bool_or(datallowconn) FROM pg_database WHERE datname = 'tyk_analytics'`),
    true,
  );
}

/** Dumps and scratch clusters that somebody forgot. */
async function leftovers(): Promise<string[]> {
  const state = scene.deployment.sites['dr']!.stateDir;
  const names = await readdir(state);
  expect(dirname(state)).toContain('dr');
  return names.filter((name) => /dump|verify|database/.test(name));
}
