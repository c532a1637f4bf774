import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { copyFolders } from '../../../adapters/backup/copy-record.ts';
import { readHold, removeHold, writeHold } from '../../../adapters/backup/prune.ts';
import {
  createSet,
  listSets,
  readManifest,
  setFolder,
  writeAttestation,
} from '../../../adapters/backup/repository.ts';
import { chainFolder, listChains, writeChain } from '../../../adapters/backup/redis-aof.ts';
import { sealStream } from '../../../adapters/backup/seal.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { setsAtCopy } from '../../../cli/backup-list-copy.ts';
import type { PrunedCopy, PruneResult, RewrapResult } from '../../../domain/backup.ts';
import type { PostgresFacts } from '../../../domain/manifest.ts';
import { AOF_FORMAT, type AofChain } from '../../../domain/redis-aof.ts';
import type { StepResult } from '../../../domain/run.ts';
import { callActivity } from '../../harness/activity.ts';
import {
  ageIdentity,
  backupStepOf,
  signSet,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';

/**
 * Retention at copies, and sealing anew, on real sets: two copies in folders through rclone, one pruned and one that
 * is left to others. The pgBackRest repository is made of files of its layout.
 */

const id = (day: number): string => `2026010${day}T000000Z-000${day}`;
const [FIRST, SECOND, THIRD] = [id(1), id(2), id(3)];
/** Full, incremental on it, full. */
const LABELS = ['20260101-000000F', '20260101-000000F_20260102-000000I', '20260103-000000F'] as const;

let dir: string;
let scene: TestDeployment;

beforeAll(async () => {
  dir = await mkdtemp('/var/tmp/tyk-dr-prune-');
  const copy = (name: string, prune: boolean) => ({
    ...{ name, remote: { type: 'local', path: join(dir, name) } },
    prune,
  });
  scene = await writeDeployment(dir, {
    copies: [copy('paris', true), copy('vault', false), copy('gone', true)],
    pgbackrest: {
      repository: join(dir, 'pgbackrest'),
      stanza: 'acme',
      passphrase: (await ageIdentity()).identity,
    },
  });
  await configure((backup) => {
    backup['keep'] = { last: 1, verified: 1 };
    backup['copies'] = [copy('paris', true), copy('vault', false)];
  });
  for (const [index, label] of LABELS.entries()) await makeSet(id(index + 1), label, index + 1);
  for (const set of [FIRST, SECOND, THIRD]) await called('copy-set', set);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Backup = Record<string, unknown>;

async function configure(change: (backup: Backup) => void): Promise<void> {
  const config = parse(await readFile(scene.configFile, 'utf8')) as {
    deployments: { acme: { backup: Backup } };
  };
  change(config.deployments.acme.backup);
  await writeFile(scene.configFile, stringify(config), { mode: 0o600 });
  const deployment = (await loadConfig(scene.configFile)).deployments['acme']!;
  scene = { ...scene, deployment };
}

async function called<T = StepResult>(activity: string, set = THIRD, ...more: unknown[]): Promise<T> {
  const input = backupStepOf(scene, activity, set);
  const end = await callActivity({ configFile: scene.configFile, activity, input, more });
  if (!end.result) throw Object.assign(new Error(end.error!.message), { code: end.error!.code });
  return end.result as T;
}

const root = (): string => join(dir, 'pgbackrest', 'primary-1');

/** A set with two sealed objects, a backup of one file and three segments of WAL. */
async function makeSet(set: string, label: string, number: number): Promise<void> {
  const segment = (at: number): string =>
    `0000000100000000000000${(number * 16 + at).toString(16).padStart(2, '0').toUpperCase()}`;
  const paths = [
    `backup/acme/${label}/pg_data/file-${number}.zst`,
    ...(label.includes('_') ? [`backup/acme/${LABELS[0]}/pg_data/file-1.zst`] : []),
    ...[0, 1].map((at) => `archive/acme/15-1/0000000100000000/${segment(at)}-${'a'.repeat(40)}.zst`),
  ];
  const later = `archive/acme/15-1/0000000100000000/${segment(5)}-${'b'.repeat(40)}.zst`;
  for (const path of [...paths, later, 'backup/acme/backup.info', 'archive/acme/archive.info']) {
    await mkdir(dirname(join(root(), path)), { recursive: true });
    await writeFile(join(root(), path), path);
  }
  const files = paths.map((path) => ({
    ...{ path, bytes: path.length },
    sha256: createHash('sha256').update(path).digest('hex'),
  }));
  const folder = await createSet(scene.deployment.backup, 'acme', set);
  const seal = async (name: string, content: string) => ({
    ...{ name, file: `${name}.zst.age` },
    ...(await sealStream(
      Readable.from([Buffer.from(content)]),
      join(folder, `${name}.zst.age`),
      scene.keys.recipients,
    )),
  });
  const manifest = await signSet(scene, {
    ...{ set, createdAt: `2026-01-0${number}T00:00:00.000Z` },
    objects: [
      await seal('pgbackrest-files', JSON.stringify(files)),
      await seal('gateway-gw1', `gateway ${number}`),
    ],
    database: {
      ...{ method: 'pgbackrest', generation: 'primary-1', stanza: 'acme', label, restorePoint: set },
      ...{ walStart: segment(0), walStop: segment(1), databaseBytes: 1 },
    } as PostgresFacts,
  });
  const { sha256 } = await readManifest(scene.deployment.backup, 'acme', manifest.set);
  await prove(set, sha256);
}

function prove(set: string, manifestSha256: string): Promise<void> {
  const proof = {
    format: 'tyk-dr/attestation/v1' as const,
    set,
    manifestSha256,
    verifiedAt: '2026-01-04T00:00:00.000Z',
  };
  return writeAttestation(scene.deployment.backup, 'acme', proof, scene.keys.signing);
}

/** One piece, with all of it up to a moment. */
function logOf(chain: string, readAt: string): AofChain {
  const print = { sha256: 'a'.repeat(64), bytes: 1 };
  const object = { name: 'redis-aof', file: 'base-1-0.zst.age', plain: print, cipher: print };
  return {
    ...{
      format: AOF_FORMAT,
      chain,
      deployment: 'acme',
      site: 'primary',
      version: '7.0.15',
      baseIdentity: chain,
    },
    pieces: [
      {
        object,
        kind: 'base',
        name: 'appendonly.aof.1.base.rdb',
        sequence: 1,
        from: 0,
        to: 1,
        holdsUntil: readAt,
        readAt,
      },
    ],
  };
}

const at = (copy: string, ...path: string[]): string => join(dir, copy, 'acme', ...path);

async function setsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^\d{8}T/.test(name)).sort();
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

const paris = ({ copies }: PruneResult): PrunedCopy => copies!.find(({ copy }) => copy === 'paris')!;

describe('pruning at copies', () => {
  test('a dry run says for each place what would go and why the rest stays, and touches nothing', async () => {
    await writeHold(setFolder(scene.deployment.backup, 'acme', SECOND), {
      ...{ reason: 'an investigation', actor: 'tester', at: '2026-01-04T00:00:00.000Z' },
    });
    const before = await filesIn(at('paris'));
    const shown = await called<PruneResult>('prune-sets', THIRD, true);
    expect(paris(shown).verdicts.map(({ set, keep, reasons }) => [set, keep, reasons.at(-1)])).toEqual([
      [THIRD, true, 'one of the newest verified'],
      [SECOND, true, 'held: an investigation'],
      [FIRST, true, `parent of ${SECOND}`],
    ]);
    await removeHold(setFolder(scene.deployment.backup, 'acme', SECOND));
    const would = await called<PruneResult>('prune-sets', THIRD, true);
    expect(paris(would)).toMatchObject({ pruned: true, files: 8 });
    expect(would.copies![1]).toMatchObject({ copy: 'vault', pruned: false });
    expect(await filesIn(at('paris'))).toEqual(before);
    expect(await setsIn(at('paris'))).toEqual([FIRST, SECOND, THIRD]);
  });

  test('while a manifest there cannot be trusted, no file of a database backup goes', async () => {
    const manifest = at('paris', FIRST, 'manifest.json');
    const text = await readFile(manifest, 'utf8');
    await writeFile(manifest, text.replace('primary', 'secondy'));
    const shown = await called<PruneResult>('prune-sets', THIRD, true);
    expect(paris(shown)).toMatchObject({ files: 0, orphans: [`${FIRST} (altered)`] });
    expect(paris(shown).problem).toContain(`nobody knows which of them ${FIRST} (altered) needs`);
    await writeFile(manifest, text);
  });

  test('sets go, manifest first, with the files that no other set needs; what was cut off is finished', async () => {
    // As a call that was killed has left it: no manifest, a part of the objects.
    await execa('mv', [at('paris', FIRST, 'manifest.json'), at('paris', FIRST, 'manifest.json.deleted')]);
    await rm(at('paris', FIRST, 'gateway-gw1.zst.age'));
    await mkdir(at('paris', '20251231T000000Z-0000'));
    await writeFile(at('paris', '20251231T000000Z-0000', 'redis.zst.age'), 'rest');
    await writeFile(at('paris', 'pgbackrest', 'notes.txt'), 'somebody else’s');
    const done = await called<PruneResult>('prune-sets', THIRD, false);
    expect(paris(done).orphans).toEqual(['20251231T000000Z-0000 (incomplete)', 'pgbackrest/notes.txt']);
    expect(await setsIn(at('paris'))).toEqual(['20251231T000000Z-0000', THIRD]);
    expect(await filesIn(at('paris', 'pgbackrest'))).toEqual([
      ...[`${segmentName('30')}-${'a'.repeat(40)}.zst`, `${segmentName('31')}-${'a'.repeat(40)}.zst`],
      ...[
        `${segmentName('35')}-${'b'.repeat(40)}.zst`,
        'archive.info',
        'backup.info',
        'file-3.zst',
        'notes.txt',
      ],
    ]);
    expect(await readdir(at('paris', 'pgbackrest', 'primary-1', 'backup', 'acme'))).toEqual([
      '20260103-000000F',
      'backup.info',
    ]);
    expect(await setsIn(at('vault'))).toEqual([FIRST, SECOND, THIRD]);
    expect(paris(await called<PruneResult>('prune-sets', THIRD, false))).toMatchObject({ files: 0 });
  });

  test('of the shipped logs of Redis those go that end before the oldest set that stays', async () => {
    const ends = ['2026-01-01T12:00:00.000Z', '2026-01-03T12:00:00.000Z', '2026-01-03T13:00:00.000Z'];
    for (const [index, end] of ends.entries())
      await writeChain(scene.deployment.backup, logOf(id(index + 4), end), scene.keys.signing);
    const { backup } = scene.deployment;
    const altered = join(chainFolder(backup, 'acme', id(5)), 'list-000001.json');
    const text = await readFile(altered, 'utf8');
    await writeFile(altered, text.replace('13:00', '23:00').replace('12:00', '22:00'));
    const would = await called<PruneResult>('prune-sets', THIRD, true);
    expect(would.logs).toEqual([id(4)]);
    expect(would.orphans.join()).toContain(`redis-aof/${id(5)}`);
    await writeFile(altered, text);
    expect((await called<PruneResult>('prune-sets', THIRD, false)).summary).toContain(
      '1 shipped log of Redis',
    );
    expect(await listChains(backup, 'acme')).toEqual([id(6), id(5)]);
    await rm(chainFolder(backup, 'acme'), { recursive: true });
  });

  test('what was pruned there and is wanted again is sent again', async () => {
    await rm(at('paris', THIRD), { recursive: true });
    await called('copy-set');
    expect(await setsIn(at('paris'))).toContain(THIRD);
  });

  test('a hold goes to the copy, and is gone there when the set is released', async () => {
    const folder = setFolder(scene.deployment.backup, 'acme', THIRD);
    const note = { reason: 'legal', actor: 'tester', at: '2026-01-04T00:00:00.000Z' };
    await writeHold(folder, note);
    await called('prune-sets', THIRD, false);
    expect(await readHold(at('paris', THIRD))).toEqual(note);
    await removeHold(folder);
    await called('prune-sets', THIRD, false);
    expect(await readHold(at('paris', THIRD))).toBeUndefined();
  });

  test('a copy that is away is said, and keeps no other from being pruned', async () => {
    const { copies } = scene.deployment.backup;
    await configure((backup) => {
      const away = { type: 'sftp', path: 'x', options: { host: '127.0.0.1', port: 1 } };
      backup['copies'] = [{ name: 'away', remote: away, prune: true }, copies[0]];
    });
    const done = await called<PruneResult>('prune-sets', THIRD, false);
    expect(done.copies![0]).toMatchObject({ copy: 'away', pruned: false });
    expect(done.copies![0]!.problem).toContain('the off-site copy away cannot be used');
    expect(paris(done).pruned).toBe(true);
    await configure((backup) => (backup['copies'] = copies));
  });
});

const segmentName = (tail: string): string => `0000000100000000000000${tail}`;

describe('sealing anew', () => {
  test('gives a new recipient the same content in a set of the same time, which takes the place of the old one', async () => {
    const [added, { recipients, operational }] = [await ageIdentity(), scene.keys];
    await configure((backup) => (backup['recipients'] = [recipients[0], added.recipient]));
    const made = await called<RewrapResult>('rewrap-set', THIRD);
    const set = `${THIRD.slice(0, -1)}4`;
    expect(made.set).toBe(set);
    expect((await listSets(scene.deployment.backup, 'acme')).map((each) => [each.set, each.state])).toEqual([
      [set, 'complete'],
      [THIRD, 'verified'],
    ]);
    const { manifest, sha256 } = await readManifest(scene.deployment.backup, 'acme', set);
    const { manifest: old } = await readManifest(scene.deployment.backup, 'acme', THIRD);
    expect(manifest).toMatchObject({
      rewrapOf: THIRD,
      createdAt: old.createdAt,
      database: { restorePoint: THIRD },
    });
    expect(manifest.objects.map(({ plain }) => plain)).toEqual(old.objects.map(({ plain }) => plain));
    const folder = setFolder(scene.deployment.backup, 'acme', set);
    expect(await opened(folder, added.identity.reveal())).toBe('gateway 3');
    expect(await opened(folder, operational.reveal())).toBe('gateway 3');
    // The lost key opens nothing of it.
    await expect(opened(folder, scene.keys.offline.reveal())).rejects.toThrow('no identity matched');
    expect(await called<RewrapResult>('rewrap-set', THIRD)).toMatchObject({ set, observed: true });
    expect(await called<RewrapResult>('rewrap-set', 'latest')).toMatchObject({ set, observed: true });

    // Unproven, it does not take the place of one that is proven.
    const keeping = async (): Promise<unknown[]> =>
      (await called<PruneResult>('prune-sets', THIRD, true)).verdicts.map((verdict) => [
        verdict.set,
        verdict.keep,
      ]);
    expect(await keeping()).toEqual([
      [set, true],
      [THIRD, true],
    ]);
    await prove(set, sha256);
    expect(await keeping()).toEqual([
      [set, true],
      [THIRD, false],
    ]);
    await called('copy-set', set);
    await called<PruneResult>('prune-sets', set, false);
    expect(await setsIn(at('paris'))).toEqual(['20251231T000000Z-0000', set]);
    // The files of the database backup are those of both: they stay.
    expect(await filesIn(at('paris', 'pgbackrest'))).toContain('file-3.zst');
  });

  test('without an identity of ours among the recipients it refuses, and leaves nothing that counts', async () => {
    const [one, two] = [await ageIdentity(), await ageIdentity()];
    await configure((backup) => (backup['recipients'] = [one.recipient, two.recipient]));
    await expect(called('rewrap-set', 'latest')).rejects.toMatchObject({ code: 'WRONG_AGE_KEY' });
    const states = (await listSets(scene.deployment.backup, 'acme')).map(({ state }) => state);
    expect(states.filter((state) => state !== 'incomplete')).toEqual(['verified']);
  });

  function opened(folder: string, identity: string): Promise<string> {
    const file = join(folder, 'gateway-gw1.zst.age');
    return execa('sh', ['-c', `age -d -i - ${file} | zstd -q -d -c`], { input: `${identity}\n` }).then(
      ({ stdout, stderr }) => {
        if (stdout === '') throw new Error(stderr);
        return stdout;
      },
    );
  }
});

test('a copy is listed by its own word, also when the repository is gone', async () => {
  const copy = scene.deployment.backup.copies[1]!;
  const before = await setsAtCopy(scene.deployment, 'acme', copy);
  expect(before.map(({ set, state, local }) => [set, state, local])).toContainEqual([
    FIRST,
    'verified',
    false,
  ]);
  expect(before[0]).toMatchObject({ local: true, copies: ['vault', 'paris'] });
  await rm(scene.deployment.backup.repository, { recursive: true });
  await writeFile(join(dir, 'vault', copyFolders('acme', SECOND).set, 'manifest.json.sig'), '{}');
  await rm(join(dir, 'vault', copyFolders('acme', FIRST).set, 'gateway-gw1.zst.age'));
  const after = await setsAtCopy(scene.deployment, 'acme', copy);
  expect(after.map(({ set, state, local }) => [set, state, local])).toEqual([
    [before[0]!.set, 'verified', false],
    [THIRD, 'verified', false],
    [SECOND, 'altered', false],
    [FIRST, 'incomplete', false],
  ]);
});
