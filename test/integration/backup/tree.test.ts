import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
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
async function describeTree(top: string, at = ''): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
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
