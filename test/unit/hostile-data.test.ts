import { once } from 'node:events';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readManifest, writeManifest } from '../../adapters/backup/repository.ts';
import { publicKeyOf } from '../../adapters/backup/signing.ts';
import { readJson } from '../../adapters/files/read-json.ts';
import { call, json } from '../../adapters/tyk/http.ts';
import { parseJson } from '../../domain/json.ts';
import { keyRelations } from '../../domain/relations.ts';
import { findSecrets, scrubber } from '../../domain/scrub.ts';
import { newSigningKey } from '../harness/deployment.ts';

/** Documents of somebody else's that are huge, nested without end or full of names that objects have: none ends us. */

const GIB = 1 << 30;
const deep = (levels: number): string => `${'{"a":['.repeat(levels)}1${']}'.repeat(levels)}`;
const PROTO = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('JSON', () => {
  test('of ten thousand levels is no document; of a hundred, and with brackets inside its texts, it is', () => {
    expect(() => parseJson(deep(10_000))).toThrow(/nested deeper/);
    expect(parseJson(deep(50))).toBeTruthy();
    const brackets = { text: `${'[{'.repeat(500)}\\"\\\\"${'}]'.repeat(500)}`, next: '\\' };
    expect(parseJson(JSON.stringify(brackets))).toEqual(brackets);
  });

  test('of a session is read as far as it can be', () => {
    expect(keyRelations(deep(10_000))).toBeUndefined();
    expect(keyRelations(PROTO)).toEqual({ apis: [], policies: [] });
    const rights = '{"access_rights":{"__proto__":{},"constructor":{},"a":{}}}';
    expect(keyRelations(rights)?.apis.toSorted()).toEqual(['__proto__', 'a', 'constructor']);
  });

  test('is scrubbed of its secrets however it is made', () => {
    const scrub = scrubber([{ name: 'gateway', value: 'hunter2-and-more' }], (name) => `<${name}>`);
    for (const text of [deep(10_000), PROTO, deep(10_000).replace('1', '"hunter2-and-more"')])
      expect(scrub(text)).not.toContain('hunter2');
    expect(() => findSecrets(deep(10_000))).not.toThrow();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a configuration file', () => {
  test.each([
    ['that is nested ten thousand deep', deep(10_000), /nested deeper/],
    ['that is no JSON', '{"secret":"hunter2"', /it is no JSON/],
    ['that is a list', '[1]', /it is no object/],
  ])('%s is refused, without showing what stands in it', async (_what, text, expected) => {
    const path = join(dir, 'tyk.conf');
    await writeFile(path, text);
    await expect(readJson(path)).rejects.toThrow(expected);
    await expect(readJson(path)).rejects.not.toThrow(/hunter2/);
  });

  test('of a gigabyte is refused before it is read', async () => {
    const path = join(dir, 'huge.conf');
    await writeFile(path, '');
    await truncate(path, GIB);
    await expect(readJson(path)).rejects.toThrow(/it has 1073741824 bytes/);
  });
});

describe('a manifest', () => {
  const set = '20260101T000000Z-0001';
  const key = newSigningKey();
  const folder = () => join(dir, 'repository', 'acme', set);
  const config = () => ({ repository: join(dir, 'repository'), trustedKeys: [publicKeyOf(key)] }) as never;

  test('of a gigabyte is refused before it is read', async () => {
    await mkdir(folder(), { recursive: true });
    await writeFile(join(folder(), 'manifest.json'), '');
    await truncate(join(folder(), 'manifest.json'), GIB);
    await expect(readManifest(config(), 'acme', set)).rejects.toMatchObject({ code: 'MANIFEST_ALTERED' });
  });

  test.each([
    ['nested without end', JSON.parse(deep(500)) as object],
    ['of names that objects have', JSON.parse(PROTO) as object],
  ])('%s is refused even where its signature is right', async (_what, body) => {
    await writeManifest(config(), { ...body, deployment: 'acme', set } as never, key);
    await expect(readManifest(config(), 'acme', set)).rejects.toMatchObject({ code: 'MANIFEST_ALTERED' });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

test('an answer of a gigabyte is cut off; one that is nested without end is none', async () => {
  const chunk = Buffer.alloc(1 << 20, 'x');
  let sent = 0;
  const server = createServer((request, response) => {
    if (request.url === '/deep') return void response.end(deep(10_000));
    const more = (): void => {
      while (sent < GIB && !response.destroyed) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  }).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await call(`${url}/huge`, { timeoutMs: 60_000 })).toMatchObject({
      status: 0,
      error: expect.stringMatching(/larger than/) as string,
    });
    expect(sent).toBeLessThan(GIB / 2);
    expect(json(await call(`${url}/deep`))).toBeUndefined();
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
