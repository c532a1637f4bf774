import { ServiceError } from '@temporalio/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watch, type Watched } from '../../cli/watch.ts';

/** A server that comes back is tried in test/drill/operator.test.ts; here is one that does not. */

const away = new ServiceError('no answer', { cause: Object.assign(new Error('UNAVAILABLE'), grpcAway()) });

/** As the gRPC library throws it. */
function grpcAway() {
  return { code: 14, details: 'no connection', metadata: {} };
}

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function watched(looks: (() => Promise<{ state: string; ended: boolean }>)[]): Watched<string> {
  let next = 0;
  return {
    what: 'the run',
    back: 'tyk-dr status rec-1 --watch',
    look: () => looks[Math.min(next++, looks.length - 1)]!(),
    show: () => undefined,
    notice: (text) => process.stderr.write(`${text}\n`),
  };
}

test('a server that stays away is given up with the way back, once it was waited for', async () => {
  expect(await watch(watched([() => Promise.reject(away)]), 1_000)).toBeUndefined();
  expect(process.exitCode).toBe(130);
  expect(said.match(/Temporal does not answer; the run goes on/g)).toHaveLength(1);
  expect(said).toContain('Come back with: tyk-dr status rec-1 --watch');
});

test('a worker that misses a question or two is not away; one that misses more is told of once', async () => {
  const look =
    (state: string, ended = false) =>
    () =>
      Promise.resolve({ state, ended });
  const silent = look('');
  const answered = (state: string): boolean => state !== '';
  const looks = [silent, silent, look('a'), silent, silent, silent, silent, look('b', true)];
  const shown: string[] = [];
  await watch({
    ...watched(looks),
    answered,
    show: (state) => (shown.push(state), undefined),
    notice: (text) => shown.push(text),
  });
  const away = 'no worker answers; the run waits until one is back';
  expect(shown).toEqual(['', '', 'a', '', '', '', away, '', 'b']);
});

test('what is not the absence of the server is not waited for', async () => {
  await expect(watch(watched([() => Promise.reject(new Error('a bug'))]))).rejects.toThrow('a bug');
});

test('Ctrl-C lets go at once, also of a server that does not answer', async () => {
  const watching = watch(watched([() => new Promise(() => undefined)]));
  process.emit('SIGINT');
  expect(await watching).toBeUndefined();
  expect(process.exitCode).toBe(130);
  expect(said).toContain('detached; the run goes on');
});
