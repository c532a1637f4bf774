import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../../adapters/redis/client.ts';
import { encodeRecords, type KeyRecord } from '../../../adapters/redis/dump-format.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';

/** What an exported script does with the file of keys of a set: Perl and redis-cli alone put it into a server. */

const DECODER = join(import.meta.dirname, '../../../report/runbook/parts/redis-keys.pl');

let server: TestRedis;
let client: Client;
let file: Buffer;
const expiresAtMs = Date.now() + 3_600_000;
const binary = Buffer.from([0, 10, 13, 255, 36, 39, 34, 10]);

beforeAll(async () => {
  server = await startTestRedis(['appendonly no']);
  await server.start();
  client = server.client();
  await client.call('SET', binary, binary, 'PXAT', String(expiresAtMs));
  await client.set('large', Buffer.alloc(3 << 20, 7));
  await client.hset('apikey-1', { quota: '5', name: 'ä\n' });
  await client.zadd('z', 1, 'a', 2, 'b');
  file = await fileOf(client);
});
afterAll(() => server.close());

async function fileOf(from: Client): Promise<Buffer> {
  const records: KeyRecord[] = [];
  for (const key of await from.keysBuffer('*'))
    records.push({
      key,
      expiresAtMs: Math.max(0, await from.pexpiretime(key)),
      payload: await from.dumpBuffer(key),
    });
  const parts: Buffer[] = [];
  for await (const part of encodeRecords([records].values() as unknown as AsyncIterable<KeyRecord[]>))
    parts.push(part);
  return Buffer.concat(parts);
}

/** As in `redis-commands.sh`. */
function put(input: Buffer) {
  const command = 'perl "$1" | redis-cli -p "$2" --pipe';
  return execa('bash', ['-o', 'pipefail', '-c', command, 'bash', DECODER, String(server.endpoint.port)], {
    input,
    reject: false,
    env: { REDISCLI_AUTH: server.endpoint.password!.reveal() },
  });
}

test('every key comes back with its bytes and its expiry', async () => {
  await client.flushdb();
  const { exitCode, stdout, stderr } = await put(file);
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stdout).toContain('errors: 0, replies: 4');
  expect((await client.getBuffer(binary))?.equals(binary)).toBe(true);
  expect(await client.call('PEXPIRETIME', binary)).toBe(expiresAtMs);
  expect(await client.hgetall('apikey-1')).toEqual({ quota: '5', name: 'ä\n' });
  expect(await client.call('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
  const large = await client.getBuffer('large');
  expect(createHash('sha256').update(large!).digest()).toEqual(
    createHash('sha256')
      .update(Buffer.alloc(3 << 20, 7))
      .digest(),
  );
});

test.each<[string, (whole: Buffer) => Buffer, string]>([
  ['cut in a value', (whole) => whole.subarray(0, 1000), 'ends before its end'],
  ['cut before its end', (whole) => whole.subarray(0, -41), 'ends before its end'],
  ['a changed byte', (whole) => flipped(whole, 20), 'digest is another'],
  ['something else', () => Buffer.from('REDIS0011 and so on'), 'no file of keys'],
  ['empty', () => Buffer.alloc(0), 'ends before its end'],
])('a file that is %s fails', async (_what, damage, said) => {
  const { exitCode, stderr } = await put(damage(file));
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(said);
});

/** The first byte of the first key: only the digest knows. */
function flipped(whole: Buffer, at: number): Buffer {
  const copy = Buffer.from(whole);
  copy[at]! ^= 1;
  return copy;
}
