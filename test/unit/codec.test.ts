import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EncryptingCodec } from '../../adapters/temporal/codec.ts';
import { Secret } from '../../domain/secret.ts';

const key = (): Secret => new Secret(randomBytes(32).toString('base64'));
const OLD = key();
const NEW = key();
const codec = new EncryptingCodec(new Map([['k1', OLD]]), 'k1');
const rotated = new EncryptingCodec(
  new Map([
    ['k1', OLD],
    ['k2', NEW],
  ]),
  'k2',
);

const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const everything = ({ metadata, data }: Payload): string =>
  Buffer.concat(
    [...Object.values(metadata ?? {}), data ?? Buffer.alloc(0)].map((part) => Buffer.from(part)),
  ).toString('latin1');

describe('what is encrypted', () => {
  test('comes back as it was, metadata and all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.uint8Array(), async (value, bytes) => {
        const plain = [payload(value), payload(bytes), { metadata: {}, data: bytes }];
        const back = await codec.decode(await codec.encode(plain));
        expect(back.map(bare)).toEqual(plain.map(bare));
      }),
    );
  });

  test('shows nothing but the id of its key, and never the same twice', async () => {
    const [one, other] = await codec.encode([payload('acme is lost'), payload('acme is lost')]);
    expect(everything(one!)).not.toContain('acme');
    expect(everything(one!)).not.toContain('json/plain');
    expect(everything(one!)).toContain('k1');
    expect(everything(one!)).not.toBe(everything(other!));
  });

  test('is refused where a single bit of it was changed, or of the id of its key', async () => {
    const [sealed] = await codec.encode([payload({ step: 'restore-redis-data' })]);
    for (let bit = 0; bit < sealed!.data!.length * 8; bit += 7) {
      const data = Buffer.from(sealed!.data!);
      data[bit >> 3]! ^= 1 << (bit & 7);
      await expect(codec.decode([{ ...sealed, data }])).rejects.toMatchObject({ code: 'PAYLOAD_DAMAGED' });
    }
    const cut = { ...sealed, data: sealed!.data!.subarray(0, 20) };
    await expect(codec.decode([cut])).rejects.toMatchObject({ code: 'PAYLOAD_DAMAGED' });
    const twin = new EncryptingCodec(
      new Map([
        ['k1', OLD],
        ['k9', OLD],
      ]),
      'k1',
    );
    const renamed = { ...sealed, metadata: { ...sealed!.metadata, 'encryption-key-id': Buffer.from('k9') } };
    await expect(twin.decode([renamed])).rejects.toMatchObject({ code: 'PAYLOAD_DAMAGED' });
  });
});

describe('keys change', () => {
  test('the new one encrypts, and what the old one encrypted is still read', async () => {
    const before = await codec.encode([payload('before')]);
    const after = await rotated.encode([payload('after')]);
    expect(everything(after[0]!)).toContain('k2');
    const read = await rotated.decode([...before, ...after, payload('never encrypted')]);
    expect(read.map((each) => defaultPayloadConverter.fromPayload(each))).toEqual([
      'before',
      'after',
      'never encrypted',
    ]);
  });

  test('whoever lacks a key is told which, and which there are', async () => {
    const after = await rotated.encode([payload('after')]);
    await expect(codec.decode(after)).rejects.toThrow(/'k2', which this host does not have; it has k1/);
    const none = new EncryptingCodec(new Map(), undefined);
    await expect(none.decode(after)).rejects.toThrow(/it has none/);
  });

  test('another key under the same id opens nothing', async () => {
    const other = new EncryptingCodec(new Map([['k1', NEW]]), 'k1');
    const sealed = await codec.encode([payload('mine')]);
    await expect(other.decode(sealed)).rejects.toMatchObject({ code: 'PAYLOAD_DAMAGED' });
  });
});

test.each([
  ['empty', ''],
  ['too short', Buffer.alloc(16).toString('base64')],
  ['too long', Buffer.alloc(33).toString('base64')],
  ['not base64', 'correct horse battery staple correct horse'],
  ['hexadecimal', 'ab'.repeat(32)],
])('a key that is %s is refused, and not shown', (_what, text) => {
  const use = (): unknown => new EncryptingCodec(new Map([['k1', new Secret(text)]]), 'k1');
  expect(use).toThrow(/the key 'k1' of temporal.encryption is .*; expected 32 bytes in base64/);
  if (text !== '') expect(use).not.toThrow(new RegExp(text));
});

const bare = ({ metadata, data }: Payload): unknown => [
  Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
  Buffer.from(data ?? []).toString('hex'),
];
