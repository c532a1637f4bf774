import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyDigest, readAudit, shipAudit, type AuditSource } from '../../adapters/beacon/audit.ts';
import { withClient } from '../../adapters/postgres/client.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { commitSet } from '../../adapters/versioned/commit-set.ts';
import type { Call } from '../../activities/guard.ts';
import { nameLosses } from '../../activities/name-losses.ts';
import type { Site } from '../../domain/config.ts';
import type { Json } from '../../domain/json.ts';
import type { StoreLoss } from '../../domain/loss.ts';
import { definitionFiles } from '../../domain/versioned.ts';
import { lostItemLines } from '../../report/lost-items.ts';
import { startTestCluster, type TestCluster } from '../harness/postgres.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';

/** What was lost, by name, out of real stores, a real git repository and an audit log whose host is gone. */

const POINT = Date.parse('2026-11-20T03:00:00Z') / 1000;
const at = (seconds: number): string => new Date((POINT + seconds) * 1000).toISOString();
const RAW_KEY = '5e9d9544a1dcd60001d0ed20f1c8a7d9e3b64c8f9a0b1c2d3e4f5a6b';
const HIDDEN_IN_BODY = 'body-secret-0123456789';

let dir: string;
let redis: TestRedis;
let postgres: TestCluster;
let call: Call;
const source = (): AuditSource => ({
  ...{ file: join(dir, 'primary', 'audit.log'), cursorFile: join(dir, 'primary', 'cursor.json') },
  ...{ site: 'primary', worker: 'primary', folders: [journal()] },
});
const journal = (): string => join(dir, 'outside', 'beacon');
const api = (id: string, name: string, path: string): Json => ({
  api_definition: { api_id: id, name, slug: name.toLowerCase(), proxy: { listen_path: path } },
});
const OLD = { apis: [api('a1', 'Orders', '/old/')], policies: [{ id: 'p1', name: 'Gold' }] };
const NEW = { apis: [api('a1', 'Orders', '/new/'), api('a2', 'Payments', '/pay/')], policies: [] };
const line = (seconds: number, method: string, url: string, more: object = {}): string =>
  `${JSON.stringify({ timestamp: POINT + seconds, user: 'ann@example.com', action: 'Test', method, url, status: 200, request_dump: HIDDEN_IN_BODY, ...more })}\n`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-lost-test-'));
  await Promise.all(['primary', 'state'].map((name) => mkdir(join(dir, name))));
  [redis, postgres] = await Promise.all([startTestRedis(), startTestCluster()]);
  await withClient(postgres.admin, async (client) => {
    await client.query(
      'CREATE TABLE tyk_apis (api_definition jsonb); CREATE TABLE tyk_policies (policy jsonb)',
    );
    await client.query('INSERT INTO tyk_apis VALUES ($1)', [
      (OLD.apis[0] as { api_definition: Json }).api_definition,
    ]);
    await client.query('INSERT INTO tyk_policies VALUES ($1)', [OLD.policies[0]]);
    await client.query(
      'CREATE TABLE tyk_analytics (apikey text, alias text, apiname text, responsecode int, timestamp timestamptz)',
    );
    for (const [key, code, seconds] of [
      ['kept', 200, 5],
      ['lost', 200, 6],
      ['guessed', 403, 7],
      ['earlier', 200, -5],
      ['', 200, 8],
    ] as const)
      await client.query('INSERT INTO tyk_analytics VALUES ($1, $2, $3, $4, $5)', [
        ...[key, 'mobile', 'Orders', code, at(seconds)],
      ]);
  });
  await withRedis(redis.endpoint, (client) => client.set('apikey-kept', '{}'));
  const git = { repository: join(dir, 'git'), branch: 'main', author: 'a <a@b>' };
  const { host, port } = postgres.admin;
  const site = {
    ...{ worker: 'dr', stateDir: join(dir, 'state'), gateways: [], network: [] },
    redis: { host: '127.0.0.1', port: redis.endpoint.port, password: 'env:REDIS', database: 0 },
    database: {
      method: 'dump',
      kind: 'postgresql',
      host,
      port,
      name: 'postgres',
      user: 'postgres',
      admin: { user: 'postgres' },
    },
  } as unknown as Site;
  call = {
    ...{ worker: 'dr', target: site, source: site, signal: new AbortController().signal },
    deployment: {
      ...{ organisation: 'o1', sites: { primary: {}, dr: {} } },
      backup: { repository: join(dir, 'sets'), git, signingKey: 'env:KEY' },
    },
    input: { plan: { deployment: 'acme', from: 'primary', to: 'dr' } },
    secret: () => Promise.resolve(REDIS_PASSWORD),
    progress: () => undefined,
  } as unknown as Call;
  for (const [set, definitions] of [
    ['20261120T020000Z-0001', OLD],
    ['20261120T040000Z-0001', NEW],
  ] as const)
    await commitSet({
      ...{ git, copy: join(dir, 'copy.git'), deployment: 'acme', site: 'primary', set, run: 'bak-1' },
      ...{ createdAt: at(0), verified: false, files: definitionFiles(definitions), secrets: [] },
    });
});
afterAll(async () => {
  await Promise.all([redis?.close(), postgres?.close()]);
  await rm(dir, { recursive: true, force: true });
});

const losses = (number: number): StoreLoss[] =>
  (['redis', 'database'] as const).map((store) => ({ store, newestRecovered: number, lost: 9 }));

test('the audit log is kept outside as it grows, whole lines once, without what was sent', async () => {
  const { file } = source();
  await writeFile(file, line(-60, 'PUT', '/api/apis/a1') + line(10, 'PUT', '/api/apis/a2'));
  expect(await shipAudit(source(), Date.now())).toEqual({ taken: 2, foreign: 0 });
  const key = line(12, 'DELETE', `/api/apis/a1/keys/${RAW_KEY}?x=1`);
  await appendFile(
    file,
    line(11, 'GET', '/api/apis') + line(11, 'PUT', '/api/apis/a9', { status: 400 }) + key.slice(0, 40),
  );
  expect((await shipAudit(source(), Date.now())).taken).toBe(0);
  await appendFile(file, key.slice(40) + line(0, 'PUT', '/api/portal/policies/p1'));
  expect((await shipAudit(source(), Date.now())).taken).toBe(2);
  // A worker that starts anew goes on; a log that was rotated begins again; what is no JSON is told.
  expect((await shipAudit(source(), Date.now())).taken).toBe(0);
  await rm(file);
  await writeFile(file, `${line(13, 'POST', '/api/users')}plain text\n`);
  expect(await shipAudit(source(), Date.now())).toEqual({ taken: 1, foreign: 1 });
  const { entries } = await readAudit([journal()], 'primary', at(-3600));
  expect(entries.map(({ path }) => path)).toEqual([
    ...['/api/apis/a1', '/api/portal/policies/p1', '/api/apis/a2'],
    ...[`/api/apis/a1/keys/${keyDigest(RAW_KEY)}`, '/api/users'],
  ]);
  expect(JSON.stringify(entries)).not.toContain(HIDDEN_IN_BODY);
  expect(JSON.stringify(entries)).not.toContain(RAW_KEY);
});

test('what is later than the recovered point is named, by each source, with the site gone', async () => {
  await rm(join(dir, 'primary'), { recursive: true });
  const found = await nameLosses(call, [journal()], 'primary', losses(POINT));
  const text = lostItemLines({ lostItems: found }).join('\n');
  expect(found.unnamed).toEqual([]);
  expect(found.items).toHaveLength(8);
  expect(text).toContain(`API a2 changed ${at(10)}, by ann@example.com (audit trail)`);
  expect(text).toContain(`key ${keyDigest(RAW_KEY)} deleted ${at(12)}, by ann@example.com (audit trail)`);
  expect(text).toContain(`policy p1 changed ${at(0)}, by ann@example.com, in the very second`);
  expect(text).toContain('POST /api/users (Test) created');
  expect(text).toContain('API a1 (Orders) changed (config history)');
  expect(text).toContain('API a2 (Payments) created (config history)');
  expect(text).toContain('policy p1 (Gold) deleted (config history)');
  expect(text).toContain(
    `key ${keyDigest('lost')} (mobile), on API Orders in use until ${at(6)}, not in Redis any more`,
  );
  for (const other of ['kept', 'guessed', 'earlier']) expect(text).not.toContain(keyDigest(other));
});

test('what was recovered is not named as lost, though the history says that it has changed', async () => {
  await withClient(postgres.admin, async (client) => {
    await client.query('DELETE FROM tyk_apis; DELETE FROM tyk_policies');
    for (const each of NEW.apis)
      await client.query('INSERT INTO tyk_apis VALUES ($1)', [
        (each as { api_definition: Json }).api_definition,
      ]);
  });
  const found = await nameLosses(call, [journal()], 'primary', losses(POINT + 60));
  expect(found.items).toEqual([]);
  expect(found.looked).toHaveLength(3);
});

test('what cannot be named is said: no point, no trail, no history, a store that does not answer', async () => {
  const deployment = { ...call.deployment, backup: { ...call.deployment.backup, git: undefined } };
  const gone = { ...call.target.redis!, port: 1 };
  const blind = { ...call, deployment, target: { ...call.target, redis: gone } } as unknown as Call;
  const { unnamed } = await nameLosses(blind, [journal()], 'dr', losses(POINT));
  expect(unnamed).toEqual([
    'audit trail: none of dr is kept outside it (sites.dr.dashboard.auditLog)',
    'config history: no git repository is configured (backup.git)',
    expect.stringContaining('analytics: it could not be read'),
  ]);
  const unknown = await nameLosses(call, [journal()], 'primary', [
    { store: 'redis', notMeasured: 'no watermark' },
  ]);
  expect(lostItemLines({ lostItems: unknown }).join('\n')).toContain(
    'not named: Redis: to which moment it was recovered was not measured',
  );
});
