import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { execa } from 'execa';
import { giveTo, ownedFolder } from '../../../adapters/postgres/pgbackrest-config.ts';
import { userPrefix } from '../../../adapters/process/run.ts';
import { freePort } from '../../../adapters/host/free-port.ts';
import { readCopyRecords } from '../../../adapters/backup/copy-record.ts';
import { createSet, readManifest, setFolder } from '../../../adapters/backup/repository.ts';
import { sealStream } from '../../../adapters/backup/seal.ts';
import { idsAt } from '../../../adapters/backup/fetch.ts';
import { deleteSetAtCopy } from '../../../adapters/backup/prune-copy.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import { listFiles } from '../../../adapters/rclone/rclone.ts';
import { openRemote } from '../../../adapters/rclone/remote.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { withClient } from '../../../adapters/postgres/client.ts';
import { packTree } from '../../../adapters/backup/tree.ts';
import type { KeyTestResult, PartResult, ShipWalResult } from '../../../domain/backup.ts';
import { formatBytes } from '../../../domain/duration.ts';
import type { StepResult } from '../../../domain/run.ts';
import { setsAtCopy } from '../../../cli/backup-list-copy.ts';
import { callActivity } from '../../harness/activity.ts';
import {
  ageIdentity,
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import {
  s3Copy,
  sftpCopy,
  startS3,
  startSftp,
  type S3Server,
  type SftpServer,
} from '../../harness/off-site.ts';
import {
  ADMIN_PASSWORD,
  PASSPHRASE,
  PG_BIN,
  startTestCluster,
  type TestCluster,
} from '../../harness/postgres.ts';
import { TABLES } from '../../harness/set-scene.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { archiveAll, flipByte, numbers, range, write } from '../../harness/postgres-scene.ts';

/** A set with a real database backup goes off-site, to an SFTP server and to an S3 server that lets nobody delete. */

const [SET, SECOND, THIRD] = ['20260101T000000Z-0001', '20260102T000000Z-0002', '20260103T000000Z-0003'];

const GATEWAY_CONF = '{ "listen_port": 8080 }\n';

let cluster: TestCluster;
let dir: string;
let sftp: SftpServer;
let s3: S3Server;
let scene: TestDeployment;

let redis: TestRedis;
/** The reference of an identity that opens nothing. */
let stranger: string;

beforeAll(async () => {
  vi.stubEnv('TEST_REDIS_PASSWORD', REDIS_PASSWORD.reveal());
  [cluster, redis] = await Promise.all([startTestCluster(), startTestRedis()]);
  dir = await mkdtemp('/var/tmp/tyk-dr-copies-');
  // The user of PostgreSQL restores from here by hand.
  await chmod(dir, 0o755);
  [sftp, s3] = await Promise.all([startSftp(join(dir, 'sftp')), startS3()]);
  const { stanza, repository } = cluster.repository;
  scene = await writeDeployment(dir, {
    database: cluster.config,
    passwords: { user: ADMIN_PASSWORD, admin: ADMIN_PASSWORD },
    pgbackrest: { repository, stanza, passphrase: PASSPHRASE },
    copies: [sftpCopy(sftp), s3Copy(s3)],
    redis: {
      port: redis.endpoint.port,
      dataDir: redis.dataDir,
      password: 'env:TEST_REDIS_PASSWORD',
      worker: 'dr',
    },
  });
  stranger = await addStranger();
  await mkdir(join(dir, 'dr', 'gw1'), { recursive: true });
  await writeFile(join(dir, 'dr', 'gw1', 'tyk.conf'), GATEWAY_CONF);
  await withClient(cluster.admin, (client) => client.query(TABLES));
  await Promise.all([write(cluster, 1, 50), redis.client().call('DEBUG', 'POPULATE', '500', 'key', '50')]);
  const parts = await Promise.all([
    called<PartResult>('back-up-database'),
    called<PartResult>('back-up-redis'),
    gatewayPart(),
  ]);
  await called('seal-set', SET, parts, '2026-01-01T00:00:00.000Z');
  await write(cluster, 51, 60);
  await archiveAll(cluster);
});
afterAll(async () => {
  await Promise.all([sftp?.stop(), s3?.close(), cluster?.close(), redis?.close()]);
  await rm(dir, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

/** As after a rotation that went wrong: a further identity that is no recipient's. */
async function addStranger(): Promise<string> {
  const file = join(dir, 'keys', 'age-stranger');
  await writeFile(file, `${(await ageIdentity()).identity.reveal()}\n`, { mode: 0o600 });
  const text = await readFile(scene.configFile, 'utf8');
  await writeFile(
    scene.configFile,
    text.replace(/^( +)identity: .*$/m, `$&\n$1otherIdentities: ["file:${file}"]`),
  );
  scene = { ...scene, deployment: (await loadConfig(scene.configFile)).deployments['acme']! };
  return `file:${file}`;
}

async function gatewayPart(): Promise<PartResult> {
  const tree = { root: join(dir, 'dr', 'gw1'), entries: ['tyk.conf'] };
  const { stream, ended } = await packTree(tree, new AbortController().signal);
  const file = 'gateway-gw1.zst.age';
  const folder = await createSet(scene.deployment.backup, 'acme', SET);
  const [sealed] = await Promise.all([sealStream(stream, join(folder, file), scene.keys.recipients), ended]);
  return { summary: 'sealed', objects: [{ name: 'gateway-gw1', file, ...sealed }] };
}

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
    // Evidence goes with it, whatever it says: whoever reads it there verifies it.
    const pack = join(scene.deployment.backup.repository, 'acme', 'evidence', 'acme-000001.tar');
    await mkdir(dirname(pack), { recursive: true });
    await writeFile(pack, 'a pack');
    const words = await argumentsDuring(() => called('copy-set'));
    expect(await readFile(atSftp('evidence', 'acme-000001.tar'), 'utf8')).toBe('a pack');
    expect(words).toContain('rclone');
    expect(words).not.toMatch(/s3-secret/);
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

  test('new WAL is shipped behind the newest set that a copy has, for three questions and no listing', async () => {
    await write(cluster, 61, 70);
    const segment = await archiveAll(cluster);
    const { log, shipped } = await shipping();
    expect(shipped.behind).toEqual([]);
    expect(shipped.summary).toContain(`s3: 1 new WAL segments, `);
    expect(shipped.summary).toMatch(new RegExp(`sftp: 1 new .* WAL there through ${segment}$`));
    expect(log.sort()).toEqual(['copy', 'copy', 'hashsum', 'hashsum', 'lsjson', 'lsjson']);
    const again = await shipping();
    expect(again.shipped.summary).toMatch(/^s3: 0 new WAL segments, 0 B sent.*; sftp: 0 new/);
    expect(again.log).toEqual(['lsjson', 'lsjson']);
  });

  test('a copy that does not hold what is noted gets the set as a whole again', async () => {
    const manifest = atSftp(SECOND, 'manifest.json');
    await rename(manifest, `${manifest}.away`);
    expect((await shipping()).shipped).toMatchObject({ behind: ['sftp'] });
    await rename(`${manifest}.away`, manifest);
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

/** Ships WAL, and says for what rclone was called. */
async function shipping(): Promise<{ shipped: ShipWalResult; log: string[] }> {
  const [bin, log] = [join(dir, 'bin'), join(dir, 'rclone-calls')];
  await mkdir(bin, { recursive: true });
  await writeFile(log, '');
  const { stdout: rclone } = await execa('which', ['rclone']);
  const script = `#!/bin/sh\necho "$1" >>${log}\nexec ${rclone} "$@"\n`;
  await writeFile(join(bin, 'rclone'), script, { mode: 0o755 });
  const path = process.env['PATH'];
  process.env['PATH'] = `${bin}:${path}`;
  try {
    const shipped = await called<ShipWalResult>('ship-wal', SECOND);
    return { shipped, log: (await readFile(log, 'utf8')).trim().split('\n') };
  } finally {
    process.env['PATH'] = path;
  }
}

async function keyTests(): Promise<unknown[]> {
  const { tests } = await called<KeyTestResult>('test-keys');
  return tests.map(({ place, identity, problem }) => [place, identity === stranger, problem]);
}

test('every identity is tried at every place', async () => {
  const refused = expect.stringContaining('does not open backup set') as unknown;
  const places = ['local', 'sftp', 's3'];
  expect(await keyTests()).toEqual(
    places.flatMap((place) => [
      [place, false, undefined],
      [place, true, refused],
    ]),
  );
});

describe('by hand, with the offline key and a copy', () => {
  test('the commands of the page restore everything, as it was at the moment of the set', async () => {
    const out = join(dir, 'restored');
    const page = await readFile(join(import.meta.dirname, '../../../docs/restore-by-hand.md'), 'utf8');
    const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands!);
    const [postgresPort, redisPort] = [await freePort(), await freePort()];
    const settings = [
      ...[
        `REMOTE=${join(dir, 'sftp', 'tyk-dr')}`,
        `REPO=${join(dir, 'laptop')}`,
        'DEPLOYMENT=acme',
        `SET=${SET}`,
      ],
      ...[`KEY=${join(dir, 'laptop', 'age-offline')}`, `OUT=${out}`],
      ...[`REDIS_PORT=${redisPort}`, `POSTGRES_PORT=${postgresPort}`, `PATH=${PG_BIN}:$PATH`],
    ].map((setting) => `export ${setting}`);
    // Every name that the page asks for is given, and nothing else.
    const names = (text: string): string[] => (text.match(/\b[A-Z_]+(?==)/g) ?? []).sort();
    expect(names(settings.join('\n'))).toEqual(names(blocks[0]!));
    await laptop();
    const owner = cluster.config.runAs;
    const bash = (commands: readonly string[]) =>
      execa(...asUser(owner, ['bash', '-c', [...settings, ...commands].join('\n')]), {
        env: { RCLONE_CONFIG: '/dev/null', HOME: join(dir, 'laptop') },
        cwd: '/',
      });
    try {
      const { stdout } = await bash(blocks.slice(1, -1));
      expect(stdout).toContain(`signed by ${scene.keys.trusted}`);
      const connection = { host: out, port: postgresPort, user: 'postgres', database: 'postgres' };
      expect(await numbers(connection)).toEqual(range(1, 50));
      expect(stdout).toMatch(/keys=500,/);
      expect(await readFile(join(out, 'gateway-gw1.d', 'tyk.conf'), 'utf8')).toBe(GATEWAY_CONF);
    } finally {
      await bash([blocks.at(-1)!]);
    }
  });

  /** A folder of the user of PostgreSQL, with the key from the safe. */
  async function laptop(): Promise<void> {
    const owner = cluster.config.runAs;
    for (const folder of ['laptop', 'restored']) await ownedFolder(join(dir, folder), owner);
    const key = join(dir, 'laptop', 'age-offline');
    await writeFile(key, `${scene.keys.offline.reveal()}\n`, { mode: 0o600 });
    await giveTo(owner, key);
  }
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
    expect(await numbers(cluster.admin)).toEqual(range(1, 70));
  });

  test('without the repository and without the nearest copy, finds the newest set at the next one', async () => {
    await cluster.stop();
    await rm(scene.deployment.backup.repository, { recursive: true });
    await rm(inRepository(), { recursive: true });
    await sftp.stop();
    await provenFromS3Alone();
    const checked = await recovering('check-backup', 'away', 'latest');
    expect(checked).toMatchObject({ set: { set: SECOND } });
    expect(checked.summary).toMatch(/the manifest of .* from the off-site copy s3/);
    expect(checked.exception).toContain('what was committed after it is not in it');
    await recovering('restore-database-data', 'away', 'latest');
    await cluster.start();
    // To the end of the newest segment that was shipped.
    expect(await numbers(cluster.admin)).toEqual(range(1, 70));
  });

  /** The proof lies at the copy then, and nothing of the proof is left here. */
  async function provenFromS3Alone(): Promise<void> {
    const copy = scene.deployment.backup.copies.find(({ name }) => name === 's3')!;
    const states = async () => {
      const [newest] = await setsAtCopy(scene.deployment, 'acme', copy);
      return [newest?.set, newest?.state, newest?.local, newest?.proof?.copy];
    };
    expect(await states()).toEqual([SECOND, 'complete', false, undefined]);
    const before = await readdir(cluster.dir);
    const input = { ...backupStepOf(scene, 'verify-set', 'latest'), copy: 's3' };
    const { result, error } = await callActivity({
      configFile: scene.configFile,
      activity: 'verify-set',
      input,
    });
    expect(error).toBeUndefined();
    expect(result!.summary).toContain(`${SECOND} restored from the off-site copy s3 alone`);
    expect(result!.summary).toMatch(/500 keys, .*50 rows in/);
    expect(await states()).toEqual([SECOND, 'verified', false, 's3']);
    expect(await readdir(cluster.dir)).toEqual(before);
  }

  const says = (text: string): unknown => expect.stringContaining(text) as unknown;

  test('with no copy left, says what is missing and what each copy said', async () => {
    expect(await keyTests()).toEqual([
      ...[false, true].map((strange) => ['local', strange, says('no usable backup set')]),
      ...[false, true].map((strange) => ['sftp', strange, says('the off-site copy sftp cannot be used')]),
      ['s3', false, undefined],
      ['s3', true, says('does not open backup set')],
    ]);
    await s3.stop();
    await expect(recovering('check-backup', 'nothing')).rejects.toMatchObject({
      code: 'NO_BACKUP',
      message: expect.stringMatching(/has no manifest.*sftp.*s3/) as unknown,
    });
  });
});

describe('deleting', () => {
  test('where it is refused the set stays whole; where it is allowed it goes, and nothing else does', async () => {
    await Promise.all([sftp.start(), s3.start()]);
    const remotes = await Promise.all(
      scene.deployment.backup.copies.map((copy) => openRemote(copy, (reference) => resolveSecret(reference))),
    );
    const sets = () => Promise.all(remotes.map((remote) => idsAt(remote, 'acme')));
    const remove = () => Promise.allSettled(remotes.map((remote) => deleteSetAtCopy(remote, 'acme', SET)));
    expect((await remove()).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await sets()).toEqual([
      [SECOND, SET],
      [SECOND, SET],
    ]);
    s3.allowDeletion(true);
    await sftp.allowDeletion(true);
    expect((await remove()).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(await sets()).toEqual([[SECOND], [SECOND]]);
    for (const remote of remotes) expect(await listFiles(remote, `acme/${SET}`)).toEqual([]);
    expect(await readdir(atSftp())).not.toContain(SET);
  });
});

function asUser(user: string | undefined, words: readonly string[]): [string, string[]] {
  const [program, ...args] = [...userPrefix(user), ...words];
  return [program!, args];
}

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
