import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { MockActivityEnvironment, type TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Deps } from '../../activities/guard.ts';
import { createObserveActivities } from '../../activities/observe-site.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { removeStandbyMark, writeStandbyMark } from '../../adapters/host/standby-mark.ts';
import type { Deployment } from '../../domain/config.ts';
import { lockId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import {
  fingerprint,
  MONITOR_QUERY,
  monitorId,
  type MonitorSummary,
  type View,
} from '../../domain/monitor.ts';
import { monitorInput } from '../../runbooks/monitor-input.ts';
import { fakes } from '../harness/recover-input.ts';
import { until } from '../harness/monitor-scene.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';
import { redisDeployment } from '../harness/redis-scene.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** What an observer finds out of real servers: healthy, hanging, trickling, dead, and behind a cut. */

let environment: TestWorkflowEnvironment;
let redis: TestRedis;
let base: Deployment;
beforeAll(async () => {
  [environment, redis] = await Promise.all([startTemporal(), startTestRedis()]);
  base = (await redisDeployment(redis)).deployment;
}, 60_000);
afterAll(async () => {
  await redis.close();
  await environment.teardown();
});

const servers = new Set<Server>();
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers.clear();
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
interface Running {
  readonly url: string;
  readonly server: Server;
  answer: Answer;
}

async function serve(answer: Answer): Promise<Running> {
  const server = createServer((request, response) => running.answer(request, response));
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const running: Running = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    answer,
  };
  return running;
}

const says =
  (redisState: string): Answer =>
  (_request, response) =>
    void response.end(JSON.stringify({ status: 'pass', details: { redis: { status: redisState } } }));
const well = says('pass');
const hangs: Answer = () => undefined;
/** Never silent for long enough to be called silent, and never done. */
const trickles: Answer = (_request, response) => {
  const timer = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(timer));
};

interface Servers {
  readonly gateway: string;
  readonly outside: string;
  readonly reference?: string;
  readonly probes?: Deployment['probes'];
  readonly redisPort?: number;
}

/** The deployment as one observer's configuration has it. */
function deploymentOf({ gateway, outside, reference, probes = [], redisPort }: Servers): Deployment {
  const { primary, dr } = base.sites as Record<'primary' | 'dr', Deployment['sites'][string]>;
  return {
    ...base,
    probes,
    traffic: {
      ...{ kind: 'haproxy', socket: '/none', backend: 'tyk', servers: {}, url: outside },
      ...{ steps: [100], hold: 0, drainTimeout: 1_000, upTimeout: 1_000, maxErrorPercent: 1 },
    },
    monitor: {
      observers: ['primary', 'dr'],
      references: [reference ?? environment.address],
      ...{ interval: 1_000, failAfter: 1_000, recoverAfter: 1_000, heal: 'off', onFailure: 'start' },
      ...{ flapping: { changes: 9, within: 60_000 }, budgetPerDay: 1 },
    },
    sites: {
      dr: { ...dr, redis: primary.redis! },
      primary: {
        ...primary,
        redis: { ...dr.redis!, ...(redisPort === undefined ? {} : { port: redisPort }) },
        gateways: [{ ...primary.gateways[0]!, url: gateway }],
      },
    },
  };
}

const eyesOf = (worker: string, deployment: Deployment) =>
  createObserveActivities({
    ...{ worker, deployment: () => deployment, usedSecrets: () => [] },
    secret: async () => REDIS_PASSWORD,
  } as unknown as Deps);

const LIMIT_MS = 400;
async function see(worker: string, deployment: Deployment, known?: string): Promise<View> {
  const mock = new MockActivityEnvironment({}, { client: environment.client });
  const input = { deployment: 'acme', site: 'primary', intervalMs: LIMIT_MS };
  const { 'observe-site': look } = eyesOf(worker, deployment);
  return mock.run(look, { ...input, ...(known === undefined ? { forMs: 0 } : { known, forMs: 60_000 }) });
}
const seen = ({ parts }: View): Record<string, string> =>
  Object.fromEntries(parts.map((part) => [part.name, part.seen]));

describe('which site serves', () => {
  test('is no more the one that follows another: the monitor may move on, as from a fenced one', async () => {
    const { url } = await serve(well);
    const deployment = deploymentOf({ gateway: url, outside: url });
    const { 'look-at-live': look } = eyesOf('primary', deployment);
    const mock = () => new MockActivityEnvironment({}, { client: environment.client });
    expect(await mock().run(look, 'acme')).toMatchObject([{ site: 'primary', fenced: false }]);
    const { stateDir } = deployment.sites['primary']!;
    await mkdir(stateDir, { recursive: true });
    await writeStandbyMark(stateDir, { of: 'dr', run: 'failover-1', at: new Date().toISOString() });
    try {
      expect(await mock().run(look, 'acme')).toEqual([
        { site: 'primary', live: false, fenced: true, summary: 'standby: its stores follow dr' },
      ]);
    } finally {
      await removeStandbyMark(stateDir);
    }
  });
});

describe('one look', () => {
  test('at what is healthy; from another host an address that means this one is out of reach', async () => {
    const { url } = await serve(well);
    const deployment = deploymentOf({ gateway: url, outside: url });
    const own = await see('primary', deployment);
    expect(own).toMatchObject({ observer: 'primary', sighted: true, outside: { seen: 'up' } });
    expect(own.lock).toBeUndefined();
    expect(seen(own)).toEqual({ redis: 'up', 'gateway gw1': 'up' });
    expect(seen(await see('dr', deployment))).toEqual({ redis: 'unseen', 'gateway gw1': 'unseen' });
  });

  test.each([
    ['hangs', hangs],
    ['trickles', trickles],
  ])('at what %s: no longer than the limits, and everything else is seen', async (_how, answer) => {
    const [gateway, outside] = [await serve(answer), await serve(well)];
    const begun = performance.now();
    const view = await see('primary', deploymentOf({ gateway: gateway.url, outside: outside.url }));
    expect(performance.now() - begun).toBeLessThan(5 * LIMIT_MS);
    expect(view.outside.seen).toBe('up');
    expect(seen(view)).toEqual({ redis: 'up', 'gateway gw1': 'down' });
  });

  test('at what is dead: the host says whether the service runs', async () => {
    const closed = `http://127.0.0.1:${await freePort()}`;
    const view = await see(
      'primary',
      deploymentOf({ gateway: closed, outside: closed, redisPort: await freePort() }),
    );
    expect(view.outside).toMatchObject({ seen: 'down' });
    expect(seen(view)).toEqual({ redis: 'down', 'gateway gw1': 'down' });
    expect(view.parts.every(({ why, own }) => own && why?.includes('its service: stopped'))).toBe(true);
    expect(JSON.stringify(view)).not.toContain(REDIS_PASSWORD.reveal());
  });

  test('at a Gateway without Redis: it answers, and serves nobody', async () => {
    const { url } = await serve(says('fail'));
    const view = await see('primary', deploymentOf({ gateway: url, outside: url }));
    expect(view.outside.seen).toBe('down');
    expect(seen(view)['gateway gw1']).toBe('ailing');
  });

  test('as a client: what the APIs answer counts more than /hello', async () => {
    const { url } = await serve((request, response) =>
      request.url === '/hello' ? well(request, response) : void response.writeHead(404).end(),
    );
    const probe = {
      name: 'orders',
      method: 'GET',
      path: '/orders',
      expect: { status: 200 },
      proves: 'api',
    } as const;
    const view = await see('primary', deploymentOf({ gateway: url, outside: url, probes: [probe] }));
    expect(view.outside).toEqual({ seen: 'down', why: 'orders was answered 404' });
  });

  test('of whoever reaches nothing beyond its own host: it says that it is blind', async () => {
    const { url } = await serve(well);
    const reference = `127.0.0.1:${await freePort()}`;
    expect((await see('primary', deploymentOf({ gateway: url, outside: url, reference }))).sighted).toBe(
      false,
    );
  });
});

test('it keeps looking, and answers as soon as something is another than what is known', async () => {
  const gateway = await serve(well);
  const deployment = deploymentOf({ gateway: gateway.url, outside: gateway.url });
  const known = fingerprint(await see('primary', deployment));
  let answered = false;
  const looking = see('primary', deployment, known).finally(() => (answered = true));
  const asked = once(gateway.server, 'request');
  await asked;
  expect(answered).toBe(false);
  gateway.answer = (_request, response) => void response.destroy();
  expect(seen(await looking)['gateway gw1']).toBe('down');
});

test('a cut between primary and dr, but not from the clients, starts nothing; the death of the site does', async () => {
  const [gateway, outside, cut] = [await serve(well), await serve(well), await serve(hangs)];
  const [here, there] = [
    deploymentOf({ gateway: gateway.url, outside: outside.url }),
    // The address of the clients lies on the other side of the cut as well.
    deploymentOf({ gateway: cut.url, outside: cut.url }),
  ];
  const handle = environment.client.workflow.getHandle(monitorId('acme'));
  const run = environment.client.workflow.getHandle(lockId('acme'));
  const live = (site: string, is: boolean) => async () => [{ site, live: is, fenced: false, summary: '' }];
  const others = {
    ...fakes().activities,
    'answer-ping': async () => ({ digest: 'c'.repeat(64) }),
    'digest-plan': async () => 'p'.repeat(64),
    'measure-host': async (_: string, site: string) => ({ site, live: false, serves: ['redis'], points: [] }),
    'route-notice': async () => ({ targets: [], people: [] }),
  };
  const workers = {
    primary: { ...others, ...eyesOf('primary', here), 'look-at-live': live('primary', true) },
    dr: { ...others, ...eyesOf('dr', there), 'look-at-live': live('dr', false) },
  };
  const reaches = (holds: (summary: MonitorSummary) => boolean): Promise<MonitorSummary> =>
    until(() => handle.query<MonitorSummary>(MONITOR_QUERY), holds);
  await withWorkers(environment, workers, async () => {
    await environment.client.workflow.start('monitor', {
      ...{ workflowId: monitorId('acme'), taskQueue: WORKFLOW_QUEUE },
      args: [
        monitorInput('acme', { ...here, monitor: here.monitor! }, { actor: 'tester', reason: 'a test' }),
      ],
    });
    const suspected = await reaches(
      ({ state, since }) => state === 'suspect' && Date.now() - Date.parse(since) > 3_000,
    );
    expect(suspected.reasons.join()).toMatch(/dr sees it down .*; 2 must agree/);
    expect(suspected.observers).toEqual([
      { observer: 'primary', sees: 'up' },
      { observer: 'dr', sees: 'down' },
    ]);
    await expect(run.describe()).rejects.toThrow(/not found/i);
    for (const server of [gateway, outside]) server.answer = (_request, response) => void response.destroy();
    const failed = await reaches(({ acted }) => acted !== undefined);
    // Nobody has measured what would be lost: it starts nothing by itself.
    expect(failed).toMatchObject({ state: 'failed', acted: { what: 'propose' } });
    for (const open of [handle, run]) await open.terminate();
  });
});
