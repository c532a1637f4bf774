import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendLoad, type LoadBounds, type LoadRequest } from '../../../adapters/tyk/load.ts';

/** The load on a real server: its bounds, and that it times a request as its client would have. */

interface Seen {
  requests: number;
  underWay: number;
  most: number;
  readonly paths: Set<string>;
}

let server: Server;
let url: string;
const seen = new Map<string, Seen>();

/** `/NAME/DELAY`: each name is counted for itself; `never` never answers. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const [, name = '', delay = '0'] = request.url!.split('/');
    const own = seen.get(name) ?? { requests: 0, underWay: 0, most: 0, paths: new Set() };
    seen.set(name, own);
    own.requests += 1;
    own.paths.add(request.url!);
    own.most = Math.max(own.most, (own.underWay += 1));
    response.on('close', () => (own.underWay -= 1));
    if (delay !== 'never') setTimeout(() => response.end('good'), Number(delay));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const BOUNDS: LoadBounds = { durationMs: 1_000, requestsPerSecond: 40, concurrency: 4, timeoutMs: 5_000 };
const to = (path: string): LoadRequest => ({ url: url + path, method: 'GET', headers: {} });
const send = (paths: string[], bounds: Partial<LoadBounds> = {}, signal = new AbortController().signal) =>
  sendLoad(paths.map(to), { ...BOUNDS, ...bounds }, signal);

describe.concurrent('a load', () => {
  test('sends what was asked for and no more, its requests in turn, at the rate', async () => {
    const startedAt = performance.now();
    const answers = await send(['/steady/1', '/steady/2']);
    const took = performance.now() - startedAt;
    expect(answers).toHaveLength(40);
    expect(answers.every(({ status, body }) => status === 200 && body === 'good')).toBe(true);
    expect(seen.get('steady')!.requests).toBe(40);
    expect(seen.get('steady')!.paths.size).toBe(2);
    // The last becomes due 25 ms before the second is over.
    expect(took).toBeGreaterThan(950);
  });

  test('counts the wait behind slow answers, which its clients would have had', async () => {
    // Two at once, 200 ms each: ten a second can be served, and forty are due.
    const answers = await send(['/slow/200'], { concurrency: 2 });
    const took = answers.map(({ ms }) => ms);
    expect(seen.get('slow')!.most).toBe(2);
    expect(answers).toHaveLength(40);
    expect(Math.max(...took)).toBeGreaterThan(2_000);
  });

  test('does not outlast its time where nothing answers', async () => {
    const startedAt = performance.now();
    const answers = await send(['/silent/never'], { timeoutMs: 1_000, durationMs: 1_000 });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(answers).toHaveLength(40);
    expect(answers.every(({ status }) => status === 0)).toBe(true);
    expect(seen.get('silent')!.most).toBeLessThanOrEqual(BOUNDS.concurrency);
  });

  test('ends at once when it is cancelled, with nothing under way', async ({ expect }) => {
    const cancel = new AbortController();
    const sending = send(['/cancelled/never'], { durationMs: 60_000 }, cancel.signal);
    const ended = sending.then(
      () => 'went on',
      (error: Error) => error.name,
    );
    await expect.poll(() => seen.get('cancelled')?.requests).toBe(BOUNDS.concurrency);
    const cancelledAt = performance.now();
    cancel.abort();
    expect(await ended).toBe('AbortError');
    expect(performance.now() - cancelledAt).toBeLessThan(1_000);
    await expect.poll(() => seen.get('cancelled')!.underWay).toBe(0);
    expect(seen.get('cancelled')!.requests).toBe(BOUNDS.concurrency);
  });

  test('counts a server that is not there as no answer', async () => {
    const answers = await sendLoad(
      [{ url: 'http://127.0.0.1:1/', method: 'GET', headers: {} }],
      { ...BOUNDS, durationMs: 200 },
      new AbortController().signal,
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(0));
  });
});
