import { access, chmod, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSet, listSets, setFolder } from '../../../adapters/backup/repository.ts';
import { killScratchProcesses, scratchMark } from '../../../adapters/host/scratch-processes.ts';
import type { PartResult } from '../../../domain/backup.ts';
import { startActivity } from '../../harness/activity.ts';
import { backupStepOf } from '../../harness/deployment.ts';
import { write } from '../../harness/postgres-scene.ts';
import { backupStep, makeWholeSet, startSetScene, type SetScene } from '../../harness/set-scene.ts';

/**
 * Whatever ends a backup or a proof in the middle, nothing is left that looks like a set, and the next one removes
 * what is left and succeeds.
 */

let scene: SetScene;
beforeAll(async () => {
  scene = await startSetScene();
  await write(scene.cluster, 1, 20);
  await scene.redis.client().call('DEBUG', 'POPULATE', '60000', 'key', '400');
});
afterAll(() => scene?.close());

let made = 0;
const newSet = (): string => `20260101T000000Z-${String((made += 1)).padStart(4, '0')}`;
const acme = (): string => dirname(setFolder(scene.deployment.backup, 'acme', '20260101T000000Z-0000'));
const stateDir = (): string => join(scene.dir, 'dr', 'state');
const setsBefore: string[] = [];

/** The next run: nothing is left of the one before, and the new set is whole. */
async function nextRun(...parts: string[]): Promise<void> {
  const set = newSet();
  await makeWholeSet(scene, set, parts.length > 0 ? parts : undefined);
  setsBefore.unshift(set);
  expect(await readdir(acme())).toEqual([...setsBefore].reverse());
  expect(await readdir(stateDir()).catch(() => [])).toEqual([]);
  expect(await usable()).toEqual(setsBefore);
}

/** The database is slow, and not what these are about. */
const FEW = ['back-up-redis', 'back-up-config'];

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(5);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function usable(): Promise<string[]> {
  const sets = await listSets(scene.deployment.backup, 'acme');
  return sets.filter(({ state }) => state === 'complete' || state === 'verified').map(({ set }) => set);
}

/** A worker that is killed as soon as something holds. */
async function killWhen(activity: string, set: string, holds: () => Promise<boolean>): Promise<number> {
  const input = backupStepOf(scene, activity, set);
  const running = await startActivity({ configFile: scene.configFile, activity, input });
  await Promise.race([until(holds), running.end.then(() => Promise.reject(new Error('it ended first')))]);
  running.kill();
  expect((await running.end).killed).toBe(true);
  return running.pid;
}

/** The labels that pgBackRest has begun, finished or not. */
const labels = async (): Promise<string[]> => {
  const folder = join(scene.cluster.repository.repository, 'primary-1', 'backup', 'acme');
  return (await readdir(folder).catch(() => [])).filter((name) => /^\d{8}-\d{6}F/.test(name));
};

/** It may resume the label of the killed one: then only the time of the folder tells. */
async function newestWrite(): Promise<number> {
  const folder = join(scene.cluster.repository.repository, 'primary-1', 'backup', 'acme');
  const times = (await labels()).map(async (label) => (await stat(join(folder, label))).mtimeMs);
  return Math.max(0, ...(await Promise.all(times)));
}

test('the worker is killed while pgBackRest works, and then the database', async () => {
  const before = await labels();
  await killWhen('back-up-database', newSet(), async () => (await labels()).length > before.length);
  expect(await usable()).toEqual([]);

  const startedAt = Date.now();
  // pgBackRest of the killed worker has ended with it: the next one is not refused by its lock.
  const failed = expect(backupStep(scene, 'back-up-database', newSet())).rejects.toThrow(
    /^TOOL_FAILED: (?!.*unable to acquire lock)/s,
  );
  const begun = until(async () => (await newestWrite()) >= startedAt);
  // One that ends before it has begun says why, instead of being waited for.
  await Promise.race([begun, failed]);
  await scene.cluster.kill();
  await failed;
  expect(await usable()).toEqual([]);
  await scene.cluster.start();
  await nextRun();
});

/** That the backup of a configuration file has at work. */
async function helpers(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  const config = `--config=${scene.cluster.config.pgbackrest.configFile}`;
  return lines.filter((line) => line.includes(config) && line.includes('--exec-id=')).length;
}

test('the helpers of a pgBackRest that was killed do not hold up the next one', async () => {
  await killWhen('back-up-database', newSet(), async () => (await helpers()) > 0);
  await nextRun();
  expect(await helpers()).toBe(0);
});

test('the worker is killed in the middle of a proof: folders, passphrase and servers go', async () => {
  const [set] = setsBefore as [string];
  const { dataDir, pgbackrest } = scene.cluster.config;
  const beside = async (): Promise<string[]> => [
    ...(await readdir(dirname(dataDir))).filter((name) => name.includes('.tyk-dr-verify-')),
    ...(await readdir(dirname(pgbackrest.configFile))).filter((name) =>
      name.startsWith(`${basename(pgbackrest.configFile)}.`),
    ),
  ];
  const scratch = `${dataDir}.tyk-dr-verify-${set}`;
  const pid = await killWhen('verify-set', set, () => exists(join(scratch, 'postmaster.pid')));
  const folders = async (): Promise<string[]> =>
    (await readdir(tmpdir())).filter((name) => new RegExp(`^tyk-dr-\\w+-${pid}\\.`).test(name));
  expect(await folders()).not.toEqual([]);
  expect((await beside()).length).toBeGreaterThan(3);

  expect((await backupStep(scene, 'verify-set', set)).summary).toContain('restored into scratch');
  expect(await beside()).toEqual([pgbackrest.configFile].map((file) => `${basename(file)}.lock`));
  expect(await folders()).toEqual([]);
  expect((await listSets(scene.deployment.backup, 'acme'))[0]!.state).toBe('verified');
});

test('the worker is killed while Redis streams: the clear copy goes', async () => {
  const set = newSet();
  const clear = join(stateDir(), `scratch-${set}`, 'dump.rdb');
  await killWhen('back-up-redis', set, () => exists(clear));
  expect(await exists(clear)).toBe(true);
  expect(await usable()).toEqual(setsBefore);
  await nextRun(...FEW);
});

test('the disk of the repository is full', async () => {
  await mkdir(acme(), { recursive: true });
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', acme()]);
  try {
    await expect(backupStep(scene, 'back-up-redis', newSet())).rejects.toThrow(
      /^DISK_FAILED: .*redis\.zst\.age cannot be written: ENOSPC/,
    );
    expect(await usable()).toEqual([]);
    // Once there is space, the next set is whole although the rest of the failed one is there.
    await execa('mount', ['-o', 'remount,size=64m', acme()]);
    const set = newSet();
    await makeWholeSet(scene, set, FEW);
    expect(await readdir(acme())).toEqual([set]);
    expect(await usable()).toEqual([set]);
  } finally {
    await execa('umount', ['-l', acme()]);
  }
});

test('the repository vanishes, in the middle of an object and between two', async () => {
  const away = `${scene.deployment.backup.repository}-away`;
  const set = newSet();
  const sealing = expect(backupStep(scene, 'back-up-redis', set)).rejects.toThrow(/^DISK_FAILED: /);
  // One that ends before that says why, instead of being waited for.
  await Promise.race([until(() => exists(join(acme(), set, 'redis.zst.age.new'))), sealing]);
  await rename(scene.deployment.backup.repository, away);
  await sealing;
  await rm(scene.deployment.backup.repository, { recursive: true, force: true });
  await rename(away, scene.deployment.backup.repository);

  const parts = [await backupStep<PartResult>(scene, 'back-up-config', set)];
  await rename(scene.deployment.backup.repository, away);
  await expect(backupStep(scene, 'seal-set', set, [parts, new Date().toISOString()])).rejects.toThrow(
    /^OBJECT_MISSING: /,
  );
  await rm(scene.deployment.backup.repository, { recursive: true, force: true });
  await rename(away, scene.deployment.backup.repository);
  expect(await usable()).toEqual(setsBefore);
  await nextRun(...FEW);
});

test('a process with the mark of a proof is killed with its children, however it left its parent', async () => {
  const folder = join(scene.dir, 'marked');
  await mkdir(folder);
  await chmod(folder, 0o755);
  const daemon = `setsid sh -c 'touch "${folder}/runs"; sleep 600' & sleep 600`;
  const marked = execa('sh', ['-c', daemon], { env: scratchMark(folder), reject: false });
  const other = execa('sleep', ['600'], { env: scratchMark(`${folder}-other`), reject: false });
  await until(() => exists(join(folder, 'runs')));
  expect(await killScratchProcesses(folder)).toBeGreaterThanOrEqual(3);
  expect(await marked).toMatchObject({ signal: 'SIGKILL' });
  expect(await killScratchProcesses(folder)).toBe(0);
  expect(other.exitCode).toBeNull();
  other.kill();
  await other;
});

test('a set that somebody else makes by hand is not removed', async () => {
  const folder = await createSet(scene.deployment.backup, 'acme', newSet());
  await makeWholeSet(scene, newSet(), FEW);
  const left = (await readdir(acme())).sort();
  expect(left).toContain(basename(folder));
  await rm(folder, { recursive: true });
  await rm(join(acme(), left.at(-1)!), { recursive: true });
});
