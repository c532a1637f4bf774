import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { tee } from '../../activities/tee.ts';

/** What a backup of Redis streams through: two readers, of which either may end at any moment. */

const HEAD = Buffer.from('REDIS0010');
const sink = (): PassThrough => new PassThrough().on('error', () => undefined);

test('both get every byte', async () => {
  const [a, b] = [sink(), sink()];
  const source = async function* (): AsyncGenerator<Buffer> {
    for (const part of [HEAD.subarray(0, 4), HEAD.subarray(4), Buffer.alloc(100_000, 'x')]) yield part;
  };
  const all = Promise.all([a.toArray(), b.toArray()]) as Promise<Buffer[][]>;
  expect(await tee(source(), 'redis-server', [a, b])).toBe(10);
  for (const parts of await all) expect(Buffer.concat(parts).length).toBe(HEAD.length + 100_000);
});

test('a reader that fails between two chunks ends it, instead of being waited for', async () => {
  const [a, b] = [sink(), sink()];
  a.resume();
  b.resume();
  const source = async function* (): AsyncGenerator<Buffer> {
    yield HEAD;
    const closed = once(a, 'close');
    a.destroy(new Error('no space left'));
    await closed.catch(() => undefined);
    yield Buffer.alloc(100_000);
  };
  await expect(tee(source(), 'redis-server', [a, b])).rejects.toThrow('the sink was closed');
  expect(b.destroyed).toBe(true);
});

test('what is no RDB is refused', async () => {
  const [a] = [sink()];
  a.resume();
  const source = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('-ERR something');
  };
  await expect(tee(source(), 'redis-server', [a])).rejects.toThrow(/^DATA_UNPROVEN|REDIS and a version/);
});
