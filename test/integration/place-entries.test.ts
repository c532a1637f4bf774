import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  placeEntries,
  placePaths,
  undoPlacing,
  type PlacePaths,
} from '../../adapters/files/place-entries.ts';

/** Restored configuration goes in beside what is not ours, and comes out again without a trace. */

const KEY = { run: 'rec-1', step: 'restore-dashboard-config', set: 'SET' };
const ENTRIES = ['tyk.conf', 'certs', 'portal'];

let root: string;
let paths: PlacePaths;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tyk-dr-place-'));
  paths = placePaths(root, KEY.run);
  await writeFile(join(root, 'tyk.conf'), 'old');
  await mkdir(join(root, 'portal'));
  await writeFile(join(root, 'portal', 'upload'), 'only here');
  await mkdir(join(paths.stagingDir, 'certs'), { recursive: true });
  await writeFile(join(paths.stagingDir, 'tyk.conf'), 'new');
  await writeFile(join(paths.stagingDir, 'certs', 'a.pem'), 'new');
});
afterEach(() => rm(root, { recursive: true }));

const read = (name: string): Promise<string> => readFile(join(root, name), 'utf8').catch(() => 'missing');

test('an undo puts back what was replaced, removes what was new, and leaves what was never touched', async () => {
  await placeEntries(paths, KEY, ENTRIES);
  expect([await read('tyk.conf'), await read('certs/a.pem'), await read('portal/upload')]).toEqual([
    'new',
    'new',
    'only here',
  ]);
  await undoPlacing(paths);
  expect([await read('tyk.conf'), await read('certs/a.pem'), await read('portal/upload')]).toEqual([
    'old',
    'missing',
    'only here',
  ]);
});

test('an undo after a kill before the first move deletes nothing', async () => {
  await mkdir(paths.undoDir, { recursive: true });
  const ledger = { ...KEY, entries: ENTRIES, done: false };
  await writeFile(join(paths.undoDir, 'tyk-dr-step.json'), JSON.stringify(ledger));
  await undoPlacing(paths);
  expect([await read('tyk.conf'), await read('portal/upload')]).toEqual(['old', 'only here']);
});

test('a call after a kill behind any move unpacks anew, places the same, and can be undone', async () => {
  await mkdir(join(root, 'middleware'));
  await writeFile(join(root, 'middleware', 'old.js'), 'old');
  const entries = [...ENTRIES, 'middleware'];
  const unpack = async (): Promise<void> => {
    for (const folder of ['certs', 'middleware']) {
      await mkdir(join(paths.stagingDir, folder), { recursive: true });
      await writeFile(join(paths.stagingDir, folder, 'a'), 'new');
    }
    await writeFile(join(paths.stagingDir, 'tyk.conf'), 'new');
  };
  await unpack();
  await placeEntries(paths, KEY, entries);
  // Everything was moved, and nobody has written down that it is done.
  const ledger = { ...KEY, entries, done: false };
  await writeFile(join(paths.undoDir, 'tyk-dr-step.json'), JSON.stringify(ledger));
  await unpack();
  await placeEntries(paths, KEY, entries);
  const all = ['tyk.conf', 'certs/a', 'middleware/a', 'middleware/old.js'];
  expect(await Promise.all(all.map(read))).toEqual(['new', 'new', 'new', 'missing']);
  await undoPlacing(paths);
  expect(await Promise.all(all.map(read))).toEqual(['old', 'missing', 'missing', 'old']);
});

test('what the set holds beside the declared entries is not placed; a file takes the place of a folder', async () => {
  await rm(join(paths.stagingDir, 'certs'), { recursive: true });
  await writeFile(join(paths.stagingDir, 'certs'), 'a file now');
  await mkdir(join(root, 'certs'));
  await writeFile(join(root, 'certs', 'old.pem'), 'old');
  await writeFile(join(paths.stagingDir, 'tyk'), 'another program');
  await placeEntries(paths, KEY, ENTRIES);
  expect([await read('certs'), await read('tyk')]).toEqual(['a file now', 'missing']);
  await undoPlacing(paths);
  expect(await read('certs/old.pem')).toBe('old');
});

test('an entry that lies in another one comes with it, and goes with it', async () => {
  await mkdir(join(root, 'certs'));
  await writeFile(join(root, 'certs', 'a.pem'), 'old');
  await placeEntries(paths, KEY, ['certs/a.pem', 'certs/', 'certs']);
  expect(await read('certs/a.pem')).toBe('new');
  await undoPlacing(paths);
  expect(await read('certs/a.pem')).toBe('old');
});
