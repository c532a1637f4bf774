import { afterEach, describe, expect, test } from 'vitest';
import { serverStates } from '../../../adapters/haproxy/runtime.ts';
import { startActivity } from '../../harness/activity.ts';
import { eventually } from '../../harness/gateway.ts';
import { BACKEND, startTestHaproxy, type TestHaproxy } from '../../harness/haproxy.ts';
import { trafficScene, type TrafficScene } from '../../harness/traffic.ts';

/** Clients behind a real HAProxy: two sites, of which the second has two servers. */

let proxy: TestHaproxy;
let scene: TrafficScene;
afterEach(async () => {
  await scene.close();
  await proxy.close();
});

async function set(traffic: object = {}, balance = 'roundrobin'): Promise<void> {
  proxy = await startTestHaproxy(['p1', 'd1', 'd2'], { out: ['d1', 'd2'], balance });
  scene = await trafficScene(
    {
      ...{ kind: 'haproxy', socket: proxy.socket, backend: BACKEND, stateFile: proxy.stateFile },
      ...{ servers: { primary: ['p1'], dr: ['d1', 'd2'] }, url: proxy.url },
      ...traffic,
    },
    [{ name: 'api', path: '/api' }],
  );
}

const serving = { serving: true };
const states = async (): Promise<string[]> =>
  (await serverStates(proxy.socket, BACKEND)).map(({ name, admin, weight }) => `${name} ${admin} ${weight}`);
const BEFORE = ['p1 ready 1', 'd1 maint 1', 'd2 maint 1'];
const AFTER = ['p1 maint 1', 'd1 ready 1', 'd2 ready 1'];
const get = async (path = '/api'): Promise<number> => (await fetch(`${proxy.url}${path}`)).status;
const countOf = (...names: string[]): number =>
  names.reduce((sum, name) => sum + proxy.servers[name]!.count, 0);

/** Clients that go on until they are told to stop. */
function clients(): { stop: () => Promise<number[]> } {
  const statuses: number[] = [];
  let going = true;
  const all = Array.from({ length: 4 }, async () => {
    while (going) statuses.push(await get());
  });
  return {
    stop: async () => {
      going = false;
      await Promise.all(all);
      return statuses;
    },
  };
}

describe('at once', () => {
  test('a fenced source has nothing to drain: nobody waits for a request that hangs there', async () => {
    await set();
    const hanging = get('/slow');
    await eventually(() => expect(proxy.servers['p1']!.held).toHaveLength(1));
    const startedAt = performance.now();
    const { result } = await scene.call('switch-traffic');
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(result).toMatchObject({ summary: 'd1, d2 serve, every other server is out', observed: false });
    expect(await states()).toEqual(AFTER);
    expect((await scene.call('switch-traffic')).result).toMatchObject({
      summary: 'd1, d2 already served',
      observed: true,
    });
    expect((await scene.call('prove-traffic')).result?.proofs).toHaveLength(1);
    proxy.servers['p1']!.held[0]!.end();
    await hanging;
  });

  test('a source that serves is drained: what is under way there ends well, and new requests do not come', async () => {
    await set();
    const slow = get('/slow');
    await eventually(() => expect(proxy.servers['p1']!.held).toHaveLength(1));
    const switching = scene.call('switch-traffic', serving);
    await eventually(async () => expect((await states())[0]).toBe('p1 drain 1'));
    const before = countOf('p1');
    for (let sent = 0; sent < 10; sent += 1) expect(await get()).toBe(200);
    expect(countOf('p1')).toBe(before);
    expect((await states())[0]).toBe('p1 drain 1');
    proxy.servers['p1']!.held[0]!.end('done');
    expect(await slow).toBe(200);
    expect((await switching).result?.summary).toBe('d1, d2 serve, every other server is out');
    expect(await states()).toEqual(AFTER);
  });

  test('a request that does not end is told of, and holds nothing up for longer than it may', async () => {
    await set({ drainTimeout: '300ms' });
    const slow = get('/slow');
    await eventually(() => expect(proxy.servers['p1']!.held).toHaveLength(1));
    const { result } = await scene.call('switch-traffic', serving);
    expect(result?.summary).toContain('1 request under way on p1 had not ended after 300 ms');
    expect(await states()).toEqual(AFTER);
    proxy.servers['p1']!.held[0]!.end();
    await slow;
  });

  test('a target that is down takes no client away from a source that serves', async () => {
    await set({ upTimeout: '1s' });
    for (const name of ['d1', 'd2']) proxy.servers[name]!.healthy = false;
    const { error } = await scene.call('switch-traffic', { serving: true });
    expect(error).toMatchObject({ code: 'TRAFFIC_FAILED' });
    expect(error?.message).toContain('put back: p1 in as before');
    expect(await states()).toEqual(BEFORE);
  });
});

describe('by shares', () => {
  test('each share is what clients get, and survives a restart of HAProxy; the last leaves no weight behind', async () => {
    await set();
    for (const [percent, least, most] of [
      [10, 17, 23],
      [50, 97, 103],
    ] as const) {
      await scene.driver().point('dr', percent);
      await proxy.restart();
      const before = countOf('d1', 'd2');
      for (let sent = 0; sent < 200; sent += 1) expect(await get()).toBe(200);
      expect(countOf('d1', 'd2') - before).toBeGreaterThanOrEqual(least);
      expect(countOf('d1', 'd2') - before).toBeLessThanOrEqual(most);
    }
    expect((await scene.driver().look()).shares).toEqual({ primary: 50, dr: 50 });
    await scene.driver().point('dr', 100);
    await proxy.restart();
    expect(await states()).toEqual(AFTER);
  });

  test('10, 50, 100 with checks between, and no request of a client fails', async () => {
    await set({ steps: [10, 50, 100], hold: '300ms' });
    const load = clients();
    const { result } = await scene.call('switch-traffic', serving);
    const statuses = await load.stop();
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(result?.summary).toBe('d1, d2 serve, every other server is out');
    const proofs = result!.proofs!.map(({ name, verdict }) => `${name}: ${verdict}`);
    for (const percent of [10, 50])
      expect(proofs).toEqual(
        expect.arrayContaining([
          `at ${percent} %: the share of the target: pass`,
          `at ${percent} %: failures among the target’s answers to clients: pass`,
          `at ${percent} %: api: GET /api: pass`,
        ]),
      );
    expect(await states()).toEqual(AFTER);
  });

  test('a target that answers with failures loses its share again, and the step says at which and why', async () => {
    await set({ steps: [20, 100], hold: '500ms' });
    proxy.servers['d2']!.status = 502;
    const load = clients();
    const { error } = await scene.call('switch-traffic', serving);
    expect(error?.code).toBe('TRAFFIC_FAILED');
    expect(error?.message).toMatch(
      /failed at 20 %: (failures among the target’s answers.* found \d+(\.\d)? % of \d+|api: GET .* found 502)/,
    );
    expect(error?.message).toContain('put back: p1 in as before');
    expect(await states()).toEqual(BEFORE);
    const failed = (await load.stop()).filter((status) => status !== 200).length;
    expect(failed).toBeGreaterThan(0);
    expect((await scene.call('undo-traffic')).result?.summary).toBe('the traffic was not touched');
  });

  test('where the source is fenced it goes at once, and says why', async () => {
    await set({ steps: [10, 100], hold: '1m' });
    expect((await scene.call('switch-traffic')).result?.summary).toContain('at once: primary is fenced');
    expect(await states()).toEqual(AFTER);
  });

  test('where nothing of the source is up it goes at once, and says why', async () => {
    await set({ steps: [10, 100], hold: '1m' });
    proxy.servers['p1']!.healthy = false;
    await eventually(async () => expect((await scene.driver().look()).able).toEqual([]));
    const { result } = await scene.call('switch-traffic', serving);
    expect(result?.summary).toContain('at once: nothing of primary is up');
    expect(await states()).toEqual(AFTER);
  });

  test('a balance that knows no shares is told of, and nothing is left of the attempt', async () => {
    await set({ steps: [10, 100] }, 'source');
    await proxy.restart();
    const { error } = await scene.call('switch-traffic', serving);
    expect(error?.message).toMatch(/failed at 10 %: it refused \S+ weight \d+: .*static/i);
    expect(await states()).toEqual(BEFORE);
  });

  test('a worker that is killed while a share is held: the next goes on from there', async () => {
    await set({ steps: [10, 100], hold: '2s' });
    const first = await startActivity(scene.callOf('switch-traffic', serving));
    await eventually(
      async () => expect((await scene.driver().look()).shares['dr']).toBeCloseTo(10, 0),
      20_000,
    );
    first.kill();
    await first.end;
    const { result } = await scene.call('switch-traffic', serving);
    expect(result?.proofs?.map(({ name }) => name)).toContain('at 10 %: the share of the target');
    expect(await states()).toEqual(AFTER);
    // What the first had seen is what is put back.
    expect((await scene.call('undo-traffic')).result?.summary).toBe('put back: p1 in as before');
    expect(await states()).toEqual(BEFORE);
  });
});

describe('taken back', () => {
  test('undo-traffic puts back what the run found, once, and nothing of another run', async () => {
    await set();
    expect((await scene.call('undo-traffic')).result?.summary).toBe('the traffic was not touched');
    await scene.call('switch-traffic', serving);
    expect((await scene.call('undo-traffic', { run: 'rec-2' })).result?.summary).toBe(
      'the traffic was not touched',
    );
    expect(await states()).toEqual(AFTER);
    expect((await scene.call('undo-traffic')).result?.summary).toBe('put back: p1 in as before');
    await proxy.restart();
    expect(await states()).toEqual(BEFORE);
    expect((await scene.call('undo-traffic')).result?.summary).toBe('the traffic was not touched');
  });

  test('a site that is held out stays out over a restart', async () => {
    await set();
    await scene.call('switch-traffic');
    expect((await scene.call('hold-traffic')).result?.summary).toBe('d1, d2 taken out until the proofs');
    await proxy.restart();
    expect(await states()).toEqual(['p1 maint 1', 'd1 maint 1', 'd2 maint 1']);
    expect((await scene.call('hold-traffic')).result).toMatchObject({
      summary: 'dr had no traffic',
      observed: true,
    });
  });
});
