import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkObject, openIntoFile, openObject } from '../../../adapters/backup/open.ts';
import { sealStream } from '../../../adapters/backup/seal.ts';
import type { ManifestObject } from '../../../domain/manifest.ts';
import type { Secret } from '../../../domain/secret.ts';
import { ageIdentity, makeKeyring, type Keyring } from '../../harness/deployment.ts';

/** Objects: sealed for every recipient, and opened whole or not at all. */

const SET = '20260101T000000Z-0001';
/** Each opening starts two programs. */
const SAMPLES = 40;

let folder: string;
let keys: Keyring;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-seal-'));
  keys = await makeKeyring();
});
afterAll(() => rm(folder, { recursive: true }));

async function seal(name: string, content: Buffer): Promise<ManifestObject> {
  const file = `${name}.zst.age`;
  return { name, file, ...(await sealStream(Readable.from([content]), join(folder, file), keys.recipients)) };
}

async function open(object: ManifestObject, identity: Secret = keys.operational): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  await openObject({ folder, set: SET, object, identity }, sink);
  return Buffer.concat(chunks);
}

describe('a sealed object', () => {
  test.each([
    ['empty', Buffer.alloc(0)],
    ['one byte', Buffer.from('x')],
    ['several of age’s chunks of random bytes', randomBytes(300_000)],
    ['megabytes that compress well', Buffer.alloc(9_000_000, 'tyk ')],
  ])('opens for either recipient alone: %s', async (name, content) => {
    const object = await seal(`round-trip-${content.length}`, content);
    expect(object.plain.bytes, name).toBe(content.length);
    for (const identity of [keys.operational, keys.offline])
      expect((await open(object, identity)).equals(content)).toBe(true);
  });

  test('opens with the offline identity and the standard tools, without anything of ours', async () => {
    await seal('by-hand', Buffer.from('what was sealed'));
    await writeFile(join(folder, 'offline'), `${keys.offline.reveal()}\n`, { mode: 0o600 });
    const { stdout } = await execa('sh', ['-c', 'age -d -i offline by-hand.zst.age | zstd -q -d'], {
      cwd: folder,
    });
    expect(stdout).toBe('what was sealed');
  });

  test('does not open for anybody else', async () => {
    const object = await seal('secret', Buffer.from('what was sealed'));
    const { identity } = await ageIdentity();
    await expect(open(object, identity)).rejects.toMatchObject({ code: 'WRONG_AGE_KEY' });
    expect(await readFile(join(folder, object.file), 'latin1')).not.toContain('what was sealed');
  });

  test('does not exist where its source died, or nobody was left to wait for it', async () => {
    async function* dying(): AsyncGenerator<Buffer> {
      yield randomBytes(200_000);
      await Promise.resolve();
      throw new Error('the source died');
    }
    await expect(
      sealStream(Readable.from(dying()), join(folder, 'half.zst.age'), keys.recipients),
    ).rejects.toThrow('the source died');
    const abort = new AbortController();
    const endless = new Readable({
      read() {
        this.push(randomBytes(10_000));
        setImmediate(() => abort.abort());
      },
    });
    await expect(
      sealStream(endless, join(folder, 'endless.zst.age'), keys.recipients, abort.signal),
    ).rejects.toThrow();
    expect((await readdir(folder)).filter((name) => /^(half|endless)/.test(name))).toEqual([]);
  });

  test('is refused by a sink that fails with the sink’s own error', async () => {
    const object = await seal('sink', randomBytes(300_000));
    const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left')) });
    await expect(openObject({ folder, set: SET, object, identity: keys.operational }, full)).rejects.toThrow(
      'no space left',
    );
  });
});

describe('straight into a file', () => {
  test('opens as it does into a stream', async () => {
    const content = randomBytes(3_000_000);
    const object = await seal('into-file', content);
    const file = join(folder, 'opened');
    await openIntoFile({ folder, set: SET, object, identity: keys.operational }, file);
    expect((await readFile(file)).equals(content)).toBe(true);
    await checkObject({ folder, set: SET, object, identity: keys.operational });
  });

  test('is refused by a full disk as that, not as damage', async () => {
    const object = await seal('full-disk', randomBytes(300_000));
    await expect(
      openIntoFile({ folder, set: SET, object, identity: keys.operational }, '/dev/full'),
    ).rejects.toMatchObject({ code: 'TOOL_FAILED' });
  });

  test('is refused where the opened bytes are not those of the manifest', async () => {
    const object = await seal('other-plain', Buffer.from('what was sealed'));
    const claimed = { ...object, plain: { ...object.plain, sha256: '0'.repeat(64) } };
    const request = { folder, set: SET, object: claimed, identity: keys.operational };
    for (const opened of [() => checkObject(request), () => openIntoFile(request, join(folder, 'other'))])
      await expect(opened()).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });
});

describe('damage', () => {
  let object: ManifestObject;
  let bytes: Buffer;
  beforeAll(async () => {
    object = await seal('small', Buffer.from('a small object, so that its every byte can be met '.repeat(8)));
    bytes = await readFile(join(folder, object.file));
  });
  const refused = async (damaged: Buffer, claims: Partial<ManifestObject['cipher']> = {}): Promise<void> => {
    await writeFile(join(folder, object.file), damaged);
    const claimed = { ...object, cipher: { ...object.cipher, ...claims } };
    await expect(open(claimed)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    const request = { folder, set: SET, object: claimed, identity: keys.operational };
    for (const opened of [() => checkObject(request), () => openIntoFile(request, join(folder, 'damaged'))])
      await expect(opened()).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  };

  test('of any one byte is found', async () => {
    const change = fc.record({
      at: fc.nat({ max: bytes.length - 1 }),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, mask }) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= mask;
        await refused(damaged);
      }),
      { numRuns: SAMPLES },
    );
  });

  test('by any cut is found, also where the manifest’s size would agree', async () => {
    const header = bytes.indexOf('\n---') + 1;
    // Nothing, within the header, at its end, within the nonce and the one chunk, one byte short.
    const lengths = [
      0,
      1,
      header - 1,
      header,
      header + 60,
      bytes.length - 17,
      bytes.length - 16,
      bytes.length - 1,
    ];
    for (const length of lengths) {
      await refused(bytes.subarray(0, length));
      await refused(bytes.subarray(0, length), { bytes: length });
    }
  });

  test('by bytes that were put in or behind is found', async () => {
    const insert = fc.record({
      at: fc.constantFrom(0, 100, bytes.length),
      more: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(insert, async ({ at, more }) => {
        const damaged = Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
        await refused(damaged, { bytes: damaged.length });
      }),
      { numRuns: 10 },
    );
  });

  test('by another object of the same size and recipients under its name is found', async () => {
    const other = await seal(
      'other',
      Buffer.from('another small object, of exactly this length, too '.repeat(8)),
    );
    await cp(join(folder, other.file), join(folder, object.file));
    const sized = { ...object, cipher: { ...object.cipher, bytes: other.cipher.bytes } };
    await expect(open(sized)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });
});
