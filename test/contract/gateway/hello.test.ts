import { afterAll, beforeAll, describe, expect } from 'vitest';
import { eventually, type Hello, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { startScene, untilStatus, type Scene } from './scene.ts';

describe(`hello, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('hello');
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    scene.dashboard.apis = [scene.api({ apiId: 'open', auth: 'keyless' })];
    gateway = await scene.gateway();
  });
  afterAll(() => scene.end());

  const untilHello = (on: RunningGateway, wanted: Partial<Hello>): Promise<Hello> =>
    eventually(async () => {
      const hello = await on.hello();
      expect(hello).toMatchObject(wanted);
      return hello;
    }, 12_000);

  proves('hello.no-details-at-first', 'says pass before it has looked at anything', async () => {
    const fresh = await scene.gateway({ checkSeconds: 60 });
    const hello = await fresh.hello();
    expect(hello).toMatchObject({ status: 'pass', description: 'Tyk GW' });
    expect(hello.details).toBeUndefined();
  });

  proves('hello.details', 'then names Redis and the Dashboard', async () => {
    const hello = await untilHello(gateway, { details: {} });
    expect(hello.status).toBe('pass');
    expect(Object.keys(hello.details ?? {}).sort()).toEqual(['dashboard', 'redis']);
    expect(hello.details?.['redis']).toMatchObject({ status: 'pass', componentType: 'datastore' });
    expect(hello.details?.['dashboard']).toMatchObject({ status: 'pass', componentType: 'system' });
    expect(Date.parse(hello.details?.['redis']?.time ?? '')).toBeGreaterThan(0);
  });

  proves('hello.shape', 'is JSON, gives a version, and only to GET', async () => {
    const response = await fetch(`${gateway.url}/hello`);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(((await response.json()) as Hello).version).toMatch(/^v5\.3\.8/);
    expect((await fetch(`${gateway.url}/hello`, { method: 'POST' })).status).toBe(405);
  });

  proves('hello.no-ready-endpoint', 'this version has no readiness endpoint', async () => {
    await untilStatus(gateway, '/open/', 200);
    expect((await gateway.get('/ready')).status).toBe(404);
  });

  proves('hello.custom-name', 'health_check_endpoint_name renames it', async () => {
    const named = await scene.gateway({ overrides: { health_check_endpoint_name: 'alive' } });
    expect((await named.get('/alive')).status).toBe(200);
    expect((await named.get('/hello')).status).toBe(404);
  });

  proves(
    'hello.dashboard-down-warn',
    'without the Dashboard it warns, and still with status 200',
    async () => {
      await scene.dashboard.stop();
      const hello = await untilHello(gateway, { status: 'warn' });
      expect(hello.details?.['dashboard']?.status).toBe('fail');
      expect(hello.details?.['dashboard']?.output).toMatch(/dashboard is down/);
      expect(hello.details?.['redis']?.status).toBe('pass');
      expect((await gateway.get('/hello')).status).toBe(200);
      await scene.dashboard.resume();
      await untilHello(gateway, { status: 'pass' });
    },
  );

  proves('hello.redis-down-warn', 'without Redis it warns as well', async () => {
    await scene.redis.stop();
    const hello = await untilHello(gateway, { status: 'warn' });
    expect(hello.details?.['redis']?.status).toBe('fail');
    expect(hello.details?.['redis']?.output).toMatch(/./);
    expect(hello.details?.['dashboard']?.status).toBe('pass');
    await scene.redis.resume();
    await untilHello(gateway, { status: 'pass' });
  });

  proves('hello.both-down-fail', 'without both it fails, and still with status 200', async () => {
    await Promise.all([scene.redis.stop(), scene.dashboard.stop()]);
    await untilHello(gateway, { status: 'fail' });
    expect((await gateway.get('/hello')).status).toBe(200);
    await Promise.all([scene.redis.resume(), scene.dashboard.resume()]);
    await untilHello(gateway, { status: 'pass' });
  });
});
