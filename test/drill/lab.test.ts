import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { BREAKS } from '../../lab/breaks.ts';
import { readKey } from '../../lab/keys.ts';
import { keyFile, localUrl, sitePort } from '../../lab/layout.ts';
import { ORGANISATIONS } from '../../lab/seed/definitions.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { TestLab } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';
import { redisOf } from '../../lab/connections.ts';

/** The lab itself: its data come from a number, its clients never rest, and every break is undone by `lab up`. */

let lab: TestLab;
let seeded: Digests;
let trafficPort: number;
beforeAll(async () => {
  trafficPort = await freePort();
  lab = await TestLab.up('--seed', '7', '--port', `traffic=${trafficPort}`);
  seeded = await digests();
});
afterAll(() => lab.down());

const labCommand = (...args: string[]): Promise<string> => lab.expect('lab', '--dir', lab.lab.dir, ...args);

interface Digests {
  readonly definitions: string;
  readonly rows: string;
  readonly keys: string;
}

/** Of all that is seeded, and of nothing that running programs add. */
async function digests(): Promise<Digests> {
  const tables = [
    'SELECT id, api_definition, oas FROM tyk_apis ORDER BY id',
    'SELECT id, policy FROM tyk_policies ORDER BY id',
  ];
  const rows = [
    'SELECT * FROM tyk_analytics_users ORDER BY id',
    'SELECT * FROM portal_pages ORDER BY id',
    `SELECT * FROM tyk_analytics WHERE tags LIKE 'tag-%' ORDER BY id`,
  ];
  return {
    definitions: digest(await Promise.all(tables.map((query) => sqlOn(lab.lab, 'primary', query)))),
    rows: digest(await Promise.all(rows.map((query) => sqlOn(lab.lab, 'primary', query)))),
    keys: digest(await sessions()),
  };
}

async function sessions(): Promise<unknown> {
  return withRedis(await redisOf(lab.lab, 'primary'), async (client) => {
    const names = (await client.keys('*')).filter((name) => /^(apikey|oauth-data|cert-raw)-/.test(name));
    return [names.sort(), await client.mget(...names.sort())];
  });
}

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

async function client(path: string, keyName?: string): Promise<number> {
  const key = keyName === undefined ? undefined : await readFile(keyFile(lab.lab, keyName), 'utf8');
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: key.trim() };
  return (await fetch(`${localUrl(lab.lab.ports.traffic)}${path}`, { headers })).status;
}

test('clients call from the start, and the status says what they see', async () => {
  await expect
    .poll(() => labCommand('status'), { timeout: 30_000 })
    .toMatch(/clients: 0 of [1-9]\d* requests/);
  expect(await labCommand('status')).toMatch(/clients +running as \d+/);
});

test('it uses the ports that were asked for', async () => {
  expect((await fetch(`http://127.0.0.1:${trafficPort}/api-0/`)).status).toBe(200);
});

test('the Dashboard answers on the real one’s paths, each caller what is theirs', async () => {
  const url = localUrl(sitePort(lab.lab, 'primary', 'dashboard'));
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}${path}`, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const key = { authorization: await readKey(lab.lab, 'probe-dashboard') };
  const mine = await sqlOn<{ id: string }>(
    lab.lab,
    'primary',
    `SELECT api_id AS id FROM tyk_apis WHERE org_id = '${ORGANISATIONS[0]}' ORDER BY 1`,
  );
  expect(await ask('/hello')).toMatchObject({ status: 200, body: { status: 'ok' } });
  const { body } = await ask('/api/apis?p=-1', key);
  const listed = (body['apis'] as { api_definition: { api_id: string } }[]).map((api) => api.api_definition);
  expect(listed.map((api) => api.api_id).sort()).toEqual(mine.map(({ id }) => id));
  expect(await ask('/api/portal/policies?p=-1', key)).toMatchObject({ status: 200 });
  expect((await ask('/api/users', key)).body['users']).toMatchObject([
    { email_address: 'platform@example.org' },
  ]);
  for (const path of ['/api/apis', '/api/portal/policies', '/api/users'])
    expect((await ask(path, { authorization: 'wrong' })).status).toBe(401);
  const admin = { 'admin-auth': await readKey(lab.lab, 'admin-secret') };
  expect((await ask('/admin/organisations', admin)).body['organisations']).toHaveLength(2);
  expect((await ask('/admin/organisations', { 'admin-auth': 'wrong' })).status).toBe(401);
});

test('the same number gives the same definitions, rows and keys, and another one others', async () => {
  await labCommand('seed', '--seed', '8');
  const others = await digests();
  for (const part of ['definitions', 'rows', 'keys'] as const) expect(others[part]).not.toBe(seeded[part]);
  expect(await client('/api-1/', 'probe-good')).toBe(200);
  await labCommand('seed', '--seed', '7');
  expect(await digests()).toEqual(seeded);
});

test.each(BREAKS)('%s is undone by lab up', async (how) => {
  await labCommand('break', how, ...(how === 'kill-component' ? ['--component', 'dashboard'] : []));
  // Broken it is: the dashboard is gone, or clients or definitions are no longer served as they were.
  if (how === 'kill-component') expect(await labCommand('status')).toMatch(/primary-dashboard +stopped/);
  else await expect.poll(asSeeded, { timeout: 60_000, interval: 200 }).toBe(false);
  await labCommand('up');
  expect(await client('/api-0/')).toBe(200);
  expect(await client('/api-1/', 'probe-good')).toBe(200);
  expect(await labCommand('status')).not.toMatch(/primary-\w+ +stopped/);
  expect(await digests()).toEqual(seeded);
});

async function asSeeded(): Promise<boolean> {
  const answers = await Promise.all(
    [client('/api-0/'), client('/api-1/', 'probe-good')].map((status) =>
      Promise.race([status.catch(() => 0), new Promise((resolve) => setTimeout(() => resolve(0), 3_000))]),
    ),
  );
  return answers.every((status) => status === 200);
}

test('what a lab was made of is not silently something else afterwards', async () => {
  const port = lab.lab.ports.traffic;
  const answer = await lab.run('lab', '--dir', lab.lab.dir, 'up', '--port', `traffic=${port + 1}`);
  expect(answer.exitCode).toBe(2);
  expect(answer.stderr).toContain(`expected ${port}, as this lab was made`);
});
