import {
  access,
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packTree, unpackTree } from '../../../adapters/backup/tree.ts';

/** Configuration trees: what comes out is what went in, and nothing comes out anywhere else. */

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-tree-'));
  root = join(folder, 'root');
  await mkdir(root);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const archive = (): string => join(folder, 'archive.tar');
const into = (): string => join(folder, 'into');

async function pack(entries: readonly string[]): Promise<readonly string[]> {
  const packed = await packTree({ root, entries });
  await Promise.all([pipeline(packed.stream, createWriteStream(archive())), packed.ended]);
  return packed.entries;
}

/** Everything that a component may care about, by path. */
interface Described {
  readonly mode: string;
  readonly content: string;
}

async function describeTree(top: string, at = ''): Promise<Record<string, Described>> {
  const found: Record<string, Described & Record<string, unknown>> = {};
  for (const name of (await readdir(join(top, at))).sort()) {
    const path = join(at, name);
    const { mode, uid, gid, mtimeMs } = await lstat(join(top, path));
    const kind = mode & 0o170000;
    const content =
      kind === 0o120000
        ? await readlink(join(top, path))
        : kind === 0o040000
          ? 'folder'
          : await readFile(join(top, path), 'base64');
    found[path] = { mode: mode.toString(8), uid, gid, modifiedS: Math.floor(mtimeMs / 1000), content };
    if (kind === 0o040000) Object.assign(found, await describeTree(top, path));
  }
  return found;
}

describe('a tree that was packed', () => {
  test('comes back with owners, modes, times, links, empty folders and odd names', async () => {
    await writeFile(join(root, 'tyk.conf'), '{"secret":"x"}', { mode: 0o640 });
    await mkdir(join(root, 'certs/empty'), { recursive: true });
    await mkdir(join(root, 'middleware'));
    for (const name of ['with space', 'ünïcode', 'new\nline', 'back\\slash', '-rf', 'a -> b', "quote'", '*'])
      await writeFile(join(root, 'middleware', name), name);
    await writeFile(join(root, 'middleware', 'large'), Buffer.alloc(3_000_000, 7));
    await writeFile(join(root, 'certs/server.pem'), 'key', { mode: 0o600 });
    await writeFile(join(root, 'certs/run.sh'), '#!/bin/sh');
    await chmod(join(root, 'certs/run.sh'), 0o4755);
    await symlink('server.pem', join(root, 'certs/current.pem'));
    await symlink('../middleware', join(root, 'certs/to-folder'));
    await link(join(root, 'certs/server.pem'), join(root, 'certs/same.pem'));
    await chmod(join(root, 'certs'), 0o750);
    // As another user than the one who unpacks, where that is possible at all.
    if (process.getuid?.() === 0)
      for (const name of ['certs', 'certs/server.pem']) await chown(join(root, name), 1234, 4321);
    const before = await describeTree(root);
    expect(await pack(['tyk.conf', 'certs', 'middleware', 'policies'])).toEqual([
      'tyk.conf',
      'certs',
      'middleware',
    ]);
    await unpackTree(archive(), into(), 'gateway');
    expect(await describeTree(into())).toEqual(before);
  });

  test('holds nothing beside the entries that belong to it', async () => {
    await writeFile(join(root, 'tyk.conf'), '{}');
    await writeFile(join(root, 'tyk'), 'the program');
    await pack(['tyk.conf']);
    await unpackTree(archive(), into(), 'gateway');
    expect(await readdir(into())).toEqual(['tyk.conf']);
  });

  test.each([
    ['to an absolute path', 'certs/ca.pem', '/etc/ssl/certs/ca-certificates.crt'],
    ['out of its folder', 'certs/ca.pem', '../../elsewhere.pem'],
    ['as a whole', 'certs', '../shared-certs'],
  ])(
    'is refused where a link leads %s: what it leads to would not be in the backup',
    async (_where, name, target) => {
      if (name.includes('/')) await mkdir(join(root, 'certs'));
      await symlink(target, join(root, name));
      await expect(pack(['certs'])).rejects.toMatchObject({ code: 'TREE_LEADS_OUTSIDE' });
    },
  );

  test('fails where a file became shorter while it was read', async () => {
    await writeFile(join(root, 'large'), Buffer.alloc(3_000_000, 7));
    const { stream, ended } = await packTree({ root, entries: ['large'] });
    // Nobody reads yet, so tar cannot have come to the end.
    await once(stream, 'readable');
    await truncate(join(root, 'large'), 1000);
    stream.resume();
    await expect(ended).rejects.toMatchObject({ code: 'TOOL_FAILED' });
  });

  test('fails, and nothing else with it, where there is nothing to pack', async () => {
    const { stream, ended } = await packTree({ root, entries: ['tyk.conf'] });
    await once(stream.resume(), 'end');
    await expect(ended).rejects.toMatchObject({ code: 'TOOL_FAILED' });
  });
});

describe('an archive is refused before its first entry is written', () => {
  /** What somebody who can write archives might try; each leaves good.conf as its first entry. */
  const EVIL: readonly (readonly [string, string])[] = [
    ['a path upwards', 'add good.conf; cd sub; tar -rPf "$A" ../evil'],
    ['an absolute path', 'add good.conf; tar -rPf "$A" "$PWD/evil"'],
    ['a link to an absolute path', 'ln -s /etc link; add good.conf link'],
    ['a link upwards', 'ln -s ../.. link; add good.conf link'],
    [
      'a file behind a link',
      'ln -s sub link; add good.conf link; rm link; mkdir link; touch link/evil; add link/evil',
    ],
    ['a hard link upwards', 'ln evil sub/hard; add good.conf; cd sub; tar -rPf "$A" ../evil hard'],
    ['a link that goes up behind another link', 'mkdir d; ln -s .. d/b; ln -s b/../etc d/a; add good.conf d'],
    ['a hard link to a link', 'ln -s sub link; ln link hard; add good.conf link hard'],
    ['a named pipe', 'mkfifo pipe; add good.conf pipe'],
    ['a device', 'mknod device c 1 3; add good.conf device'],
    ['a link whose name pretends another target', 'ln -s /etc "a -> sub"; add good.conf "a -> sub"'],
    [
      'a path upwards behind an arrow',
      'mkdir "x -> .."; touch ../evil; add good.conf; tar -rPf "$A" "x -> ../../../evil"',
    ],
  ];

  test.each(EVIL)('that holds %s', async (_what, script) => {
    await mkdir(join(root, 'sub'));
    for (const name of ['good.conf', 'evil']) await writeFile(join(root, name), name);
    await execa('bash', ['-ec', `add() { tar -rPf "$A" -- "$@"; }; ${script}`], {
      cwd: root,
      env: { A: archive() },
    });
    await expect(unpackTree(archive(), into(), 'gateway')).rejects.toMatchObject({ code: 'UNSAFE_ARCHIVE' });
    await expect(readdir(into())).rejects.toThrow('ENOENT');
  });
});

describe('what an archive may hold', () => {
  test('owners go by name: the same user has another number on another host', async () => {
    if (process.getuid?.() !== 0) return;
    await writeFile(join(root, 'tyk.conf'), '{}');
    const { stdout } = await execa('id', ['-u', 'nobody']);
    await execa('tar', ['-cf', archive(), '--format=pax', '--owner=nobody:54321', 'tyk.conf'], { cwd: root });
    await unpackTree(archive(), into(), 'gateway');
    expect((await lstat(join(into(), 'tyk.conf'))).uid).toBe(Number(stdout));
  });

  test('a name that looks like a line of the listing is a name', async () => {
    const name = 'x\nlrwxrwxrwx 0/0 0 2020-01-01 00:00 a -> /etc';
    await mkdir(join(root, 'certs'));
    await mkdir(join(root, 'certs', 'x\nlrwxrwxrwx 0'), { recursive: true });
    await mkdir(join(root, 'certs', join(name, '..')), { recursive: true });
    await writeFile(join(root, 'certs', name), 'text');
    await pack(['certs']);
    await unpackTree(archive(), into(), 'gateway');
    expect(await readFile(join(into(), 'certs', name), 'utf8')).toBe('text');
  });
});

/** Names and targets that somebody might try, all in one folder `outer` that holds nothing but the target. */
const NASTY = [
  ...[
    'a',
    'a/b',
    'a/b/c',
    './a',
    'a/../b',
    '..',
    '../evil',
    '../../evil',
    'a/../../evil',
    '/tmp/tyk-dr-evil',
  ],
  ...[
    '.',
    'a/',
    'a//b',
    '...',
    'link',
    'link/evil',
    'link/../evil',
    'a/link',
    'a/link/x',
    'a\nb',
    'a -> b',
    '',
  ],
];
/** Files, hard links, links, devices, folders, pipes, and a type of GNU's own. */
const TYPES = ['0', '1', '2', '3', '5', '6', 'D'];

/** One entry as POSIX has it. */
function header(name: string, type: string, target: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const field = (text: string, at: number): number => block.write(text, at, 'utf8');
  field(name, 0);
  field('0000644\x000000000\x000000000\x00', 100);
  field(size.toString(8).padStart(11, '0'), 124);
  field('00000000000', 136);
  field('        ', 148);
  field(type, 156);
  field(target, 157);
  field('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  field(`${sum.toString(8).padStart(6, '0')}\x00 `, 148);
  return block;
}

function tarOf(entries: readonly { name: string; type: string; target: string }[]): Buffer {
  const body = Buffer.alloc(512);
  body.write('evil');
  return Buffer.concat([
    ...entries.flatMap(({ name, type, target }) =>
      type === '0' ? [header(name, type, '', 4), body] : [header(name, type, target, 0)],
    ),
    Buffer.alloc(1024),
  ]);
}

test('fuzz: whatever an archive says, nothing appears or changes outside its folder, nor can be reached from it', async () => {
  const outer = join(folder, 'outer');
  const before = async (): Promise<unknown> => {
    const tree = await describeTree(folder);
    return Object.fromEntries(
      Object.entries(tree)
        .filter(([path]) => path !== 'archive.tar' && !path.startsWith('outer/into'))
        .map(([path, { mode, content }]) => [path, [mode, content]]),
    );
  };
  await mkdir(outer);
  await writeFile(join(folder, 'evil'), 'not evil');
  await writeFile(join(outer, 'b'), 'not evil');
  const clean = await before();
  let unpacked = 0;
  const entry = fc.record({
    name: fc.oneof(fc.constantFrom(...NASTY), fc.constantFrom('a', 'b', 'link')),
    type: fc.oneof(fc.constantFrom(...TYPES), fc.constantFrom('0', '2', '5')),
    target: fc.constantFrom(...NASTY),
  });
  const archives = fc.array(entry, { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(archives, async (entries) => {
      await writeFile(archive(), tarOf(entries));
      const target = join(outer, 'into');
      await rm(target, { recursive: true, force: true });
      const ended = await unpackTree(archive(), target, 'gateway').then(
        () => true,
        (error: unknown) => {
          expect((error as { code?: string }).code).toMatch(/^(UNSAFE_ARCHIVE|TOOL_FAILED)$/);
          return false;
        },
      );
      if (ended) unpacked += 1;
      expect(await before()).toEqual(clean);
      await expect(access('/tmp/tyk-dr-evil')).rejects.toThrow('ENOENT');
      const links = Object.entries(ended ? await describeTree(target) : {}).filter(([, { mode }]) =>
        mode.startsWith('12'),
      );
      for (const [path] of links) {
        const real = await realpath(join(target, path)).catch(() => target);
        expect(`${real}/`.startsWith(`${target}/`), `${path} leads to ${real}`).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
  expect(unpacked).toBeGreaterThan(0);
});
