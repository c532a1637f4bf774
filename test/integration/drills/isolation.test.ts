import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configDigest } from '../../../adapters/config/digest.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { command } from '../../../adapters/haproxy/runtime.ts';
import { isolated, type OutOfBounds } from '../../../adapters/host/isolation.ts';
import { tcpProblem } from '../../../adapters/host/ports.ts';
import { connect as connectMongo } from '../../../adapters/mongodb/client.ts';
import { withClient as withPostgres } from '../../../adapters/postgres/client.ts';
import { libpq } from '../../../adapters/postgres/tools.ts';
import { withClient as withRedis } from '../../../adapters/redis/client.ts';
import { streamRdb } from '../../../adapters/redis/stream-rdb.ts';
import { startService, stopService } from '../../../adapters/service/service.ts';
import { call } from '../../../adapters/tyk/http.ts';
import type { Config, Deployment } from '../../../domain/config.ts';
import { NEVER_IN_A_DRILL } from '../../../domain/drill.ts';
import type { RecoverPlan, StepInput } from '../../../domain/plan.ts';
import { compileDrill } from '../../../runbooks/drill-plan.ts';
import { DRILL_STEPS } from '../../../runbooks/drill.ts';
import { shapeOf } from '../../../runbooks/shape-of.ts';
import { wire } from '../../../worker/wire.ts';
import { writeDeployment } from '../../harness/deployment.ts';

/** A real server stands where the live site would: whatever a drill tries, it never hears of it. */

let dir: string;
let live: Server;
let lively: Server;
let port: number;
let socket: string;
let heard = 0;
let config: Config;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-isolation-'));
  socket = join(dir, 'haproxy.sock');
  const listener = () =>
    createServer((connection) => {
      heard += 1;
      connection.destroy();
    });
  live = listener().listen(0, '::');
  lively = listener().listen(socket);
  await Promise.all([once(live, 'listening'), once(lively, 'listening')]);
  port = (live.address() as AddressInfo).port;
  // The primary's Redis listens one port above that of dr.
  const { configFile } = await writeDeployment(dir, {
    redis: { port: port - 1, dataDir: join(dir, 'dr', 'redis') },
  });
  const yaml = parse(await readFile(configFile, 'utf8')) as {
    deployments: { acme: Record<string, unknown> };
  };
  yaml.deployments.acme['drill'] = { site: 'dr' };
  await writeFile(configFile, stringify(yaml));
  config = await loadConfig(configFile);
});
afterEach(() => {
  expect(heard, 'the live site has heard of it').toBe(0);
});
afterAll(async () => {
  live.close();
  lively.close();
  await rm(dir, { recursive: true, force: true });
});

const bounds = (): OutOfBounds => ({
  ...{ run: 'drl-test', sites: ['primary'], sockets: [socket] },
  addresses: [{ name: 'redis of primary', host: '127.0.0.1', port }],
});

const TOUCHES = { code: 'DRILL_TOUCHES_LIVE' };

describe.each(['127.0.0.1', 'localhost', '127.0.0.3', '0.0.0.0', '[::1]', '[::ffff:127.0.0.1]'])(
  'a drill that would reach the live site as %s',
  (written) => {
    const host = written.replace(/^\[|\]$/g, '');
    test.each<[string, () => Promise<unknown>]>([
      ['Redis', () => withRedis({ host, port }, async () => undefined)],
      ['Redis’ replication', () => streamRdb({ host, port }).toArray()],
      ['PostgreSQL', () => withPostgres({ host, port, user: 'x', database: 'x' }, async () => undefined)],
      ['PostgreSQL’s tools', async () => libpq({ host, port, user: 'x', database: 'x' })],
      ['MongoDB', () => connectMongo({ host, port, database: 'x' })],
      ['HTTP', () => call(`http://${written}:${port}/hello`)],
      ['a look at a port', () => tcpProblem(written, port)],
    ])('is refused: %s', async (_what, attempt) => {
      await expect(isolated(bounds(), attempt)).rejects.toMatchObject(TOUCHES);
    });
  },
);

test('nor does it run a command of the live site, or speak to what leads clients', async () => {
  const file = join(dir, 'ran');
  const service = { start: ['touch', file], stop: ['touch', file], status: ['touch', file] };
  const target = { name: 'redis', site: 'primary', service };
  const attempts: (() => Promise<unknown>)[] = [
    () => startService(target),
    () => stopService(target),
    () => command(socket, 'x'),
  ];
  for (const attempt of attempts) await expect(isolated(bounds(), attempt)).rejects.toMatchObject(TOUCHES);
  await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what a drill starts and does not wait for is held back as well', async () => {
  let late: Promise<unknown> | undefined;
  await isolated(bounds(), async () => {
    late = new Promise((resolve) => setTimeout(resolve, 5)).then(() => tcpProblem('127.0.0.1', port));
  });
  await expect(late).rejects.toMatchObject(TOUCHES);
});

test('its own site is within reach, and outside of a drill everything is', async () => {
  const other = createServer((connection) => connection.destroy()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  expect(
    await isolated(bounds(), () => tcpProblem('127.0.0.1', (other.address() as AddressInfo).port)),
  ).toBeUndefined();
  other.close();
  expect(await tcpProblem('127.0.0.1', port)).toBeUndefined();
  await expect.poll(() => heard).toBe(1);
  heard = 0;
});

/** As the worker of dr runs it, with whatever configuration it has. */
async function step(
  activity: string,
  change: (deployment: Deployment) => Deployment = (same) => same,
  plan: Partial<RecoverPlan> = {},
  worker = 'dr',
): Promise<{ code: string; message: string }> {
  const deployment = change(config.deployments['acme']!);
  const { activities } = wire({ ...config, deployments: { acme: deployment } }, worker, 'test');
  const work = (activities as unknown as Record<string, (input: StepInput) => Promise<unknown>>)[activity]!;
  const compiled = compileDrill(shapeOf('acme', config.deployments['acme']!), {
    ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', participants: [] },
    ...{ backup: 'latest', onFailure: 'abort', decide: 'auto' },
  });
  const input: StepInput = {
    ...{ run: 'drl-test', step: activity, set: '20260101T000000Z-0001', epoch: 1 },
    ...{ plan: { ...compiled, ...plan }, configDigest: configDigest(deployment) },
    ...{ basisAt: new Date().toISOString(), notAfter: '2999-01-01T00:00:00.000Z' },
  };
  const environment = new MockActivityEnvironment(
    { activityType: activity, currentAttemptScheduledTimestampMs: Date.now() },
    { logger: new DefaultLogger('ERROR') },
  );
  return environment.run(work, input).then(
    () => ({ code: 'none', message: 'it went on' }),
    (error: unknown) => {
      const { type, message } = error as { type?: string; message: string };
      return { code: type ?? 'BUG', message };
    },
  );
}

/** All that a drill runs on its own site, what undoes it, and what watches it. */
const OWN = [
  ...DRILL_STEPS.filter(({ where }) => where !== 'live').map(({ id }) => id),
  ...['stop-target', 'undo-switch', 'tidy-target', 'unmark-target', 'audit-isolation'],
  // People decide about a promotion: it is no activity.
].filter((id) => !NEVER_IN_A_DRILL.includes(id) && id !== 'promote');

describe.each(OWN)('%s of a drill is refused', (id) => {
  test('on a site that has an address of the live one', async () => {
    const told = await step(id, (deployment) => {
      const { primary, dr } = deployment.sites as Record<'primary' | 'dr', Deployment['sites'][string]>;
      const redis = { ...dr.redis!, port: primary.redis!.port, host: 'localhost' };
      return { ...deployment, sites: { primary, dr: { ...dr, redis } } };
    });
    expect(told.code, told.message).toBe('DRILL_TOUCHES_LIVE');
    expect(told.message).toContain(`the address localhost:${port} (redis) is also that of primary`);
  });

  test('on the live site itself, whatever the task says', async () => {
    const told = await step(id, undefined, { to: 'primary', from: 'dr' }, 'primary');
    expect(told.code, told.message).toBe('DRILL_TOUCHES_LIVE');
    expect(told.message).toContain('the site primary; drills of acme go to dr');
  });
});

test.each(NEVER_IN_A_DRILL)('%s is no step of any drill, and is refused by the worker itself', async (id) => {
  const told = await step(id);
  expect(told.code, told.message).toBe('DRILL_TOUCHES_LIVE');
  expect(told.message).toContain(`${id} is no step of a drill`);
});

test('a worker whose configuration has no site for drills runs none', async () => {
  const told = await step('claim-target', ({ drill: _drill, ...deployment }) => deployment);
  expect(told.code).toBe('DRILL_NOT_CONFIGURED');
});
