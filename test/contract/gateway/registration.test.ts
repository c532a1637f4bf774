import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Secret } from '../../../domain/secret.ts';
import { DASHBOARD_HEADERS, DASHBOARD_PATHS } from '../../../lab/tyk/dashboard-protocol.ts';
import { eventually, NODE_SECRET } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { startScene, statusOf, untilStatus, type Scene } from './scene.ts';

/** Only the heartbeat pings then, never the liveness check. */
const NO_LIVENESS_CHECK = { checkSeconds: 3600 };

describe(`registration, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('registration');
  let scene: Scene;

  beforeAll(async () => {
    scene = await startScene();
  });
  afterAll(() => scene.end());

  const stubWithOneApi = async () => {
    const dashboard = await scene.anotherDashboard();
    dashboard.apis = [scene.api({ apiId: 'open', auth: 'keyless' })];
    return dashboard;
  };

  proves.concurrent('registration.sends-node-secret', 'registers with the secret and who it is', async () => {
    const dashboard = await stubWithOneApi();
    await untilStatus(await scene.gateway({ source: { dashboardUrl: dashboard.url } }), '/open/', 200);
    const first = dashboard.seen[0]!;
    expect(first).toMatchObject({ method: 'GET', path: DASHBOARD_PATHS.register });
    expect(first.headers[DASHBOARD_HEADERS.nodeSecret]).toBe(NODE_SECRET.reveal());
    expect(first.headers[DASHBOARD_HEADERS.hostname]).toMatch(/./);
    expect(first.headers[DASHBOARD_HEADERS.sessionId]).toMatch(/^[0-9a-f-]{36}$/);
  });

  proves.concurrent(
    'registration.wrong-secret-serves-nothing',
    'a refused node fetches nothing',
    async () => {
      const dashboard = await stubWithOneApi();
      const gateway = await scene.gateway({
        source: { dashboardUrl: dashboard.url },
        nodeSecret: new Secret('not-the-node-secret'),
      });
      await eventually(() => expect(dashboard.count(DASHBOARD_PATHS.register, 403)).toBe(1));
      expect(await statusOf(gateway, '/open/')).toBe(404);
      expect(await gateway.hello()).toMatchObject({ status: 'pass' });
      expect(dashboard.seen.map((request) => request.path)).not.toContain(DASHBOARD_PATHS.apis);
    },
  );

  proves.concurrent('registration.retries', 'tries again until the Dashboard takes it', async () => {
    const dashboard = await stubWithOneApi();
    dashboard.failures.set(DASHBOARD_PATHS.register, 500);
    const gateway = await scene.gateway({ source: { dashboardUrl: dashboard.url } });
    await eventually(() => expect(dashboard.count(DASHBOARD_PATHS.register, 500)).toBe(1));
    dashboard.failures.clear();
    await untilStatus(gateway, '/open/', 200, { timeoutMs: 9000 });
  });

  proves.concurrent('registration.waits-for-dashboard', 'starts before its Dashboard does', async () => {
    const dashboard = await stubWithOneApi();
    await dashboard.stop();
    const gateway = await scene.gateway({ source: { dashboardUrl: dashboard.url } });
    expect(await statusOf(gateway, '/open/')).toBe(404);
    await dashboard.resume();
    await untilStatus(gateway, '/open/', 200, { timeoutMs: 9000 });
  });

  proves.concurrent(
    'registration.nonce-of-the-last-reply',
    'fetches policies, then APIs, each with the nonce of the reply before',
    async () => {
      const dashboard = await stubWithOneApi();
      const source = { dashboardUrl: dashboard.url };
      await untilStatus(await scene.gateway({ source, ...NO_LIVENESS_CHECK }), '/open/', 200);
      const fetches = dashboard.seen.filter((request) => request.path.startsWith('/system/'));
      expect(fetches.slice(0, 2).map((request) => request.path)).toEqual([
        DASHBOARD_PATHS.policies,
        DASHBOARD_PATHS.apis,
      ]);
      for (const request of fetches) {
        expect(request.headers[DASHBOARD_HEADERS.nodeId]).toBe('node-1');
        expect(dashboard.nonces).toContain(request.headers[DASHBOARD_HEADERS.nonce]);
      }
      const [policies, apis] = fetches.map((request) => request.headers[DASHBOARD_HEADERS.nonce]);
      expect(policies).not.toBe(apis);
    },
  );

  proves.concurrent('registration.heartbeat', 'pings again and again with node id and nonce', async () => {
    const dashboard = await stubWithOneApi();
    await scene.gateway({ source: { dashboardUrl: dashboard.url }, ...NO_LIVENESS_CHECK });
    await eventually(() => expect(dashboard.count(DASHBOARD_PATHS.ping)).toBeGreaterThanOrEqual(3));
    const ping = dashboard.seen.findLast((request) => request.path === DASHBOARD_PATHS.ping)!;
    expect(ping.headers[DASHBOARD_HEADERS.nodeId]).toBe('node-1');
    expect(dashboard.nonces).toContain(ping.headers[DASHBOARD_HEADERS.nonce]);
  });

  proves.concurrent(
    'registration.again-after-refused-ping',
    'a ping that gets 403 registers anew',
    async () => {
      const dashboard = await stubWithOneApi();
      await scene.gateway({ source: { dashboardUrl: dashboard.url }, ...NO_LIVENESS_CHECK });
      await eventually(() => expect(dashboard.count(DASHBOARD_PATHS.ping)).toBeGreaterThanOrEqual(1));
      dashboard.failures.set(DASHBOARD_PATHS.ping, 403);
      await eventually(() => expect(dashboard.count(DASHBOARD_PATHS.register)).toBeGreaterThanOrEqual(2));
      dashboard.failures.clear();
      await eventually(() => {
        const ping = dashboard.seen.findLast((request) => request.path === DASHBOARD_PATHS.ping)!;
        expect(ping.status).toBe(200);
        expect(ping.headers[DASHBOARD_HEADERS.nodeId]).not.toBe('node-1');
      });
    },
  );

  proves.concurrent(
    'registration.deregisters-on-sigterm',
    'SIGTERM takes the node off the list',
    async () => {
      const dashboard = await stubWithOneApi();
      const gateway = await scene.gateway({ source: { dashboardUrl: dashboard.url } });
      await untilStatus(gateway, '/open/', 200);
      await gateway.stop();
      const farewell = dashboard.seen.filter((request) => request.method === 'DELETE');
      expect(farewell).toHaveLength(1);
      expect(farewell[0]).toMatchObject({ path: DASHBOARD_PATHS.deregister, status: 200 });
      expect(farewell[0]!.headers[DASHBOARD_HEADERS.nodeId]).toBe('node-1');
      await expect(gateway.get('/open/')).rejects.toThrow();
    },
  );
});
