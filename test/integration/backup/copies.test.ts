import { cp, mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readCopyRecords } from '../../../adapters/backup/copy-record.ts';
import { readManifest, setFolder } from '../../../adapters/backup/repository.ts';
import type { PartResult } from '../../../domain/backup.ts';
import { formatBytes } from '../../../domain/duration.ts';
import type { StepResult } from '../../../domain/run.ts';
import { callActivity } from '../../harness/activity.ts';
import {
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import {
  s3Copy,
  SFTP,
  sftpCopy,
  startS3,
  startSftp,
  type S3Server,
  type Server,
} from '../../harness/off-site.ts';
import { ADMIN_PASSWORD, PASSPHRASE, startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import { archiveAll, flipByte, numbers, range, write } from '../../harness/postgres-scene.ts';

/** A set with a real database backup goes off-site, to an SFTP server and to an S3 server that lets nobody delete. */

const [SET, SECOND, THIRD] = ['20260101T000000Z-0001', '20260102T000000Z-0002', '20260103T000000Z-0003'];

let cluster: TestCluster;
let dir: string;
let sftp: Server;
let s3: S3Server;
let scene: TestDeployment;

beforeAll(async () => {
  vi.stubEnv('TEST_SFTP_PASSWORD', SFTP.pass);
  cluster = await startTestCluster();
  dir = await mkdtemp('/var/tmp/tyk-dr-copies-');
  [sftp, s3] = await Promise.all([startSftp(join(dir, 'sftp')), startS3(join(dir, 's3'))]);
  const { stanza, repository } = cluster.repository;
  scene = await writeDeployment(dir, {
    database: cluster.config,
    passwords: { user: ADMIN_PASSWORD, admin: ADMIN_PASSWORD },
    pgbackrest: { repository, stanza, passphrase: PASSPHRASE },
    copies: [sftpCopy(sftp), s3Copy(s3)],
  });
  await write(cluster, 1, 50);
  const database = await called<PartResult>('back-up-database');
  await called('seal-set', SET, [database], '2026-01-01T00:00:00.000Z');
  await write(cluster, 51, 60);
  await archiveAll(cluster);
});
afterAll(async () => {
  await Promise.all([sftp?.stop(), s3?.close(), cluster?.close()]);
  await rm(dir, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

async function called<T = StepResult>(activity: string, set = SET, ...more: unknown[]): Promise<T> {
  const input = backupStepOf(scene, activity, set);
  const end = await callActivity({ configFile: scene.configFile, activity, input, more });
  if (!end.result) throw Object.assign(new Error(end.error!.message), { code: end.error!.code });
  return end.result as T;
}

/** A step of a recovery of site dr. */
async function recovering(step: string, run: string, backup = SET): Promise<StepResult> {
  const input = stepOf(scene, { run, step, set: backup });
  const plan = { ...input.plan, backup };
  const end = await callActivity({
    configFile: scene.configFile,
    activity: step,
    input: { ...input, set: SET, plan },
  });
  if (!end.result) throw Object.assign(new Error(end.error!.message), { code: end.error!.code });
  return end.result;
}

const atSftp = (...path: string[]): string => join(dir, 'sftp', 'tyk-dr', 'acme', ...path);
const inRepository = (...path: string[]): string =>
  join(cluster.repository.repository, cluster.site.generation, ...path);
const inSet = (name: string): string => join(setFolder(scene.deployment.backup, 'acme', SET), name);

/** Files of a folder, without those that only the original has: what it knows of its copies. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('copy-'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

async function copiesOf(set: string): Promise<string[]> {
  const signed = await readManifest(scene.deployment.backup, 'acme', set);
  return (await readCopyRecords(scene.deployment.backup, 'acme', signed)).map(({ copy }) => copy);
}

/** The arguments of every rclone that runs while something is done. */
async function argumentsDuring(work: () => Promise<unknown>): Promise<string> {
  let seen = '';
  const look = async (): Promise<void> => {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (words.includes('rclone') && !words.includes('serve')) seen += `${words}\n`;
    }
  };
  const timer = setInterval(() => void look(), 50);
  await work().finally(() => clearInterval(timer));
  return seen;
}

describe('copying', () => {
  test('brings everything that the set needs to every copy, the manifest last, and deletes nothing', async () => {
    const words = await argumentsDuring(() => called('copy-set'));
    expect(words).toContain('rclone');
    expect(words).not.toMatch(/sftp-password|s3-secret/);
    expect(await copiesOf(SET)).toEqual(['s3', 'sftp']);
    expect(await filesOf(atSftp(SET))).toEqual(await filesOf(inSet('')));
    const backedUp = (await filesOf(inRepository())).filter(
      (file) => !/\.backup$|\/backup\.history\/|0{7}1-/.test(file),
    );
    expect(await filesOf(atSftp('pgbackrest', cluster.site.generation))).toEqual(backedUp);
    const [newest] = await newestFirst(atSftp(SET));
    expect(newest).toBe('manifest.json');
    expect(s3.refused()).toEqual([]);
  });

  test('goes on where it was cut off, and finds what is not what was sent', async () => {
    const files = (await filesOf(atSftp('pgbackrest'))).filter((file) => file.endsWith('.zst'));
    const [missing, short, other] = files.map((file) => atSftp('pgbackrest', file)) as [
      string,
      string,
      string,
    ];
    const bytes = (await Promise.all([missing, short, other].map((file) => stat(file)))).map(
      ({ size }) => size,
    );
    await rm(missing);
    await truncate(short, bytes[1]! - 1);
    await flipByte(other, 0);
    await sftp.stop();
    await sftp.start();
    // As if it had been killed before it could note what it had sent.
    await rm(join(scene.deployment.backup.repository, 'acme', 'copies', 'sftp.json'));
    const { summary } = await called('copy-set');
    expect(summary).toContain(`${formatBytes(bytes[0]! + bytes[1]! + bytes[2]!)} sent; s3`);
    expect(await filesOf(atSftp('pgbackrest', cluster.site.generation))).toContain(
      relative(atSftp('pgbackrest', cluster.site.generation), missing),
    );
    expect((await called('copy-set')).summary).toMatch(/ 0 B sent; .* 0 B sent$/);
  });

  test('a copy that is away has no set, says so, and gets it later; the others have it', async () => {
    await sameSetAs(SECOND);
    await s3.stop();
    await expect(called('copy-set', SECOND)).rejects.toMatchObject({
      code: 'COPY_INCOMPLETE',
      message: expect.stringContaining('the off-site copy s3 cannot be used') as unknown,
    });
    expect(await copiesOf(SECOND)).toEqual(['sftp']);
    await s3.start();
    await called('copy-set', SECOND);
    expect(await copiesOf(SECOND)).toEqual(['s3', 'sftp']);
  });

  test('what is damaged here is not spread', async () => {
    await sameSetAs(THIRD);
    await flipByte(
      join(setFolder(scene.deployment.backup, 'acme', THIRD), 'pgbackrest-passphrase.zst.age'),
      200,
    );
    await expect(called('copy-set', THIRD)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    expect(await readdir(atSftp())).not.toContain(THIRD);
    await rm(setFolder(scene.deployment.backup, 'acme', THIRD), { recursive: true });
  });
});

describe('recovering', () => {
  test('takes from the first copy that has it whole what is damaged here, and says from where and why', async () => {
    const listed = await filesOf(atSftp('pgbackrest', cluster.site.generation));
    const first = listed.find((file) => file.startsWith('backup/') && file.endsWith('.zst'))!;
    const second = listed.find((file) => file.startsWith('archive/') && file.endsWith('.zst'))!;
    await flipByte(inRepository(first), 10);
    await rm(inRepository(second));
    await flipByte(inSet('pgbackrest-files.zst.age'), 300);
    await flipByte(atSftp('pgbackrest', cluster.site.generation, second), 10);
    await cluster.stop();
    const checked = await recovering('check-backup', 'damaged');
    expect(checked.summary).toMatch(
      /pgbackrest-files from the off-site copy sftp, because object pgbackrest-files .* SHA-256 .* differs/,
    );
    expect(checked.summary).toMatch(/1 of \d+ files of the database backup from the off-site copy sftp/);
    expect(checked.summary).toMatch(
      new RegExp(
        `1 of \\d+ files of the database backup from the off-site copy s3 \\(.*sftp.*its ${second} is missing or damaged`,
      ),
    );
    // The evidence stays as it was.
    await expect(stat(inRepository(second))).rejects.toThrow('ENOENT');
    const restored = await recovering('restore-database-data', 'damaged');
    expect(restored.summary).toContain('recovered to');
    await cluster.start();
    expect(await numbers(cluster.admin)).toEqual(range(1, 60));
  });

  test('without the repository and without the nearest copy, finds the newest set at the next one', async () => {
    await cluster.stop();
    await rm(scene.deployment.backup.repository, { recursive: true });
    await rm(inRepository(), { recursive: true });
    await sftp.stop();
    const checked = await recovering('check-backup', 'away', 'latest');
    expect(checked).toMatchObject({ set: { set: SECOND } });
    expect(checked.summary).toMatch(/the manifest of .* from the off-site copy s3/);
    expect(checked.exception).toContain('what was committed after it is not in it');
    await recovering('restore-database-data', 'away', 'latest');
    await cluster.start();
    expect(await numbers(cluster.admin)).toEqual(range(1, 60));
  });

  test('with no copy left, says what is missing and what each copy said', async () => {
    await s3.stop();
    await expect(recovering('check-backup', 'nothing')).rejects.toMatchObject({
      code: 'NO_BACKUP',
      message: expect.stringMatching(/has no manifest.*sftp.*s3/) as unknown,
    });
  });
});

/** The same content under another id. */
async function sameSetAs(set: string): Promise<void> {
  const { manifest } = await readManifest(scene.deployment.backup, 'acme', SET);
  await cp(inSet(''), setFolder(scene.deployment.backup, 'acme', set), { recursive: true });
  for (const name of await readdir(setFolder(scene.deployment.backup, 'acme', set)))
    if (name.startsWith('copy-')) await rm(join(setFolder(scene.deployment.backup, 'acme', set), name));
  await signSet(scene, { ...manifest, set });
}

async function newestFirst(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const times = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).ctimeMs));
  return names
    .map((name, index) => ({ name, at: times[index]! }))
    .sort((a, b) => b.at - a.at)
    .map(({ name }) => name);
}
