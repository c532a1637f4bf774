import { describe, expect, test } from 'vitest';
import {
  decodeRecords,
  encodeRecords,
  payloadVersion,
  type KeyRecord,
} from '../../adapters/redis/dump-format.ts';
import { keySlot, openSlots, parseClusterNodes, slotProblem } from '../../adapters/redis/slots.ts';

const record = (key: string, expiresAtMs: number, payload: Buffer): KeyRecord => ({
  ...{ key: Buffer.from(key), expiresAtMs, payload },
});
const RECORDS = [
  record('apikey-1', 0, Buffer.from('\u0000value\u00ff')),
  record('', 1, Buffer.alloc(0)),
  record('ключ', Date.parse('2099-01-01T00:00:00.123Z'), Buffer.alloc(5_000, 7)),
];

async function bytesOf(batches: readonly KeyRecord[][]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of encodeRecords(from(batches))) chunks.push(chunk);
  return Buffer.concat(chunks);
}
async function read(bytes: Buffer, size = bytes.length): Promise<KeyRecord[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  const records: KeyRecord[] = [];
  for await (const one of decodeRecords(from(chunks))) records.push(one);
  return records;
}
async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

describe('the file of keys', () => {
  test('gives back what went in, however it is cut into chunks', async () => {
    const bytes = await bytesOf([RECORDS.slice(0, 2), [], RECORDS.slice(2)]);
    for (const size of [1, 7, 4096, bytes.length]) expect(await read(bytes, size)).toEqual(RECORDS);
    expect(await read(await bytesOf([]))).toEqual([]);
  });

  test('cut anywhere or changed anywhere is not taken for whole', async () => {
    const bytes = await bytesOf([RECORDS.slice(0, 2)]);
    for (let at = 0; at < bytes.length; at += 1) {
      await expect(read(bytes.subarray(0, at)), `cut at ${at}`).rejects.toThrow('the keys of the backup');
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x01;
      await expect(read(changed), `changed at ${at}`).rejects.toThrow('the keys of the backup');
    }
    await expect(read(Buffer.concat([bytes, Buffer.from('x')]))).rejects.toThrow('nothing behind its end');
    await expect(read(Buffer.from('REDIS0010 an RDB is no such file'))).rejects.toThrow('header of format 1');
  });

  test('a payload tells the version that it needs', () => {
    const payload = Buffer.alloc(20);
    payload.writeUInt16LE(11, 10);
    expect(payloadVersion(payload)).toBe(11);
    expect(payloadVersion(Buffer.alloc(3))).toBe(0);
  });
});

describe('the slots of a Cluster', () => {
  // As CLUSTER KEYSLOT of Redis 7.0.15 answered.
  test.each([
    ['foo', 12182],
    ['123456789', 12739],
    ['{user1000}.following', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['', 0],
  ])('the key %j has slot %d', (key, slot) => expect(keySlot(Buffer.from(key))).toBe(slot));

  const line = (id: string, flags: string, link: string, slots: string, port = 7000): string =>
    `${id} 10.0.0.${id.length}:${port}@17000,redis-${id}.example.com ${flags} - 0 0 1 ${link} ${slots}`;
  const nodes = (...lines: string[]) => parseClusterNodes(lines.join('\n'), 'asked', false);

  test('are read with their masters, replicas and names', () => {
    const [a, b, c] = nodes(
      line('a', 'myself,master', 'disconnected', '0-100 200'),
      line('bb', 'slave', 'connected', '').replace(' - ', ' a '),
      ':7001@17001 master - 0 0 1 connected 101'.replace(/^/, 'ccc '),
    );
    expect(a).toMatchObject({
      host: '10.0.0.1',
      port: 7000,
      role: 'master',
      sound: true,
      slots: [
        [0, 100],
        [200, 200],
      ],
    });
    expect(b).toMatchObject({ role: 'replica', of: 'a', host: '10.0.0.2' });
    expect(c).toMatchObject({ host: 'asked', port: 7001, slots: [[101, 101]] });
    expect(parseClusterNodes(line('a', 'master', 'connected', ''), 'asked', true)[0]!.host).toBe(
      'redis-a.example.com',
    );
  });

  test.each([
    ['nothing, where all is well', [line('a', 'master', 'connected', '0-16383')], undefined],
    [
      'slots without a master',
      [line('a', 'master', 'connected', '0-41 43-16383')],
      '1 of 16384 slots have no master, the first is 42',
    ],
    [
      'a master that fails',
      [line('a', 'master,fail', 'connected', '0-16383')],
      'the master at 10.0.0.1:7000 does not answer',
    ],
    [
      'a link that is broken',
      [line('a', 'master', 'disconnected', '0-16383')],
      'the master at 10.0.0.1:7000 does not answer',
    ],
  ])('tell %s', (_what, lines, problem) => expect(slotProblem(nodes(...lines))).toBe(problem));

  test('on their way are seen on both sides', () => {
    expect(openSlots('a :1@2 master - 0 0 1 connected 0-5 [3->-bb] [4-<-cc]')).toEqual(['3', '4']);
  });
});
