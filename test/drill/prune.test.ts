import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PruneResult } from '../../domain/backup.ts';
import { configFile, outside } from '../../lab/layout.ts';
import { TestLab } from '../harness/lab.ts';

/** Old sets go, and only those: on a real repository, with pgBackRest's own backups and WAL. */

let lab: TestLab;
let folder: string;
beforeAll(async () => {
  lab = await TestLab.up();
  folder = outside(lab.lab, 'sets', 'acme');
  const path = configFile(lab.lab);
  const text = await readFile(path, 'utf8');
  await writeFile(
    path,
    text.replace(/keep:\n(\s+\w+: \d+\n)+/, 'keep:\n        last: 1\n        verified: 1\n'),
  );
  await lab.restartWorker('primary');
  await lab.restartWorker('dr');
  for (const more of [['--full'], ['--no-verify'], ['--full', '--no-verify'], ['--full']])
    await lab.expect('backup', 'acme', ...more);
});
afterAll(() => lab.down());

const sets = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => /^\d{8}T/.test(name)).sort();

async function prune(...args: readonly string[]): Promise<PruneResult> {
  return JSON.parse(await lab.expect('backup', 'prune', 'acme', '--json', ...args)) as PruneResult;
}

async function databaseBackups(): Promise<string[]> {
  const backups = join(outside(lab.lab, 'pgbackrest'), 'primary-1', 'backup', 'acme');
  return (await readdir(backups)).filter((name) => /^\d{8}-\d{6}F/.test(name)).sort();
}

test('old sets go with their database backups; what is held stays, and so does what it builds on', async () => {
  const [full, incremental, dropped, newest] = (await sets()) as [string, string, string, string];
  await lab.expect('backup', 'hold', 'acme', incremental, '--reason', 'an investigation');
  const before = await databaseBackups();
  expect(before).toHaveLength(4);
  expect(await lab.expect('backup', 'list')).toContain(`${dropped}  complete`);
  expect(await lab.expect('backup', 'verify', 'acme', dropped)).toContain(`${dropped} restored into scratch`);
  expect(await lab.expect('backup', 'list')).toContain(`${dropped}  verified`);

  const shown = await prune('--dry-run');
  expect(await sets()).toEqual([full, incremental, dropped, newest]);
  expect(shown.verdicts.map(({ set, keep, reasons }) => [set, keep, reasons.at(-1)])).toEqual([
    [newest, true, 'one of the newest verified'],
    [dropped, false, undefined],
    [incremental, true, 'held: an investigation'],
    [full, true, `parent of ${incremental}`],
  ]);

  const done = await prune();
  expect(done.verdicts).toEqual(shown.verdicts);
  expect(await sets()).toEqual([full, incremental, newest]);
  const after = await databaseBackups();
  expect(before.filter((label) => !after.includes(label))).toEqual([before[2]]);
  expect(await lab.expect('backup', 'list')).toMatch(new RegExp(`${incremental}.* an investigation`));

  await lab.expect('backup', 'release', 'acme', incremental);
  await prune();
  expect(await sets()).toEqual([newest]);
  expect(await databaseBackups()).toEqual([before[3]]);
});

test('a deletion that was cut short is finished, and rubbish is reported but left', async () => {
  const [newest] = (await sets()) as [string];
  const half = join(folder, '20200101T000000Z-aaaa');
  await mkdir(half);
  await writeFile(join(half, 'manifest.json.deleted'), '{}');
  await writeFile(join(half, 'redis.zst.age'), 'rest');
  const unfinished = join(folder, '20200102T000000Z-bbbb');
  await mkdir(unfinished);
  await writeFile(join(unfinished, 'redis.zst.age'), 'rest');
  expect((await prune()).orphans).toEqual(['20200102T000000Z-bbbb (incomplete)']);
  expect(await sets()).toEqual(['20200102T000000Z-bbbb', newest]);
});

test('what is left is a backup: the site is lost and recovered from it', async () => {
  const [, newest] = (await sets()) as [string, string];
  await lab.destroyPrimary();
  const answer = await lab.recover('--on-failure', 'abort');
  expect(answer.exitCode, answer.stdout.slice(-2_000) + answer.stderr).toBe(0);
  expect(answer.stdout).toContain(newest);
  // The new primary's first backup belongs to no set yet: the next set builds on it, and nothing of it may go.
  await lab.expect('backup', 'acme');
  const { expired } = await prune();
  expect(expired).toEqual([]);
});
