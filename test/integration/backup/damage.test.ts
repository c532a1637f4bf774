import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPart } from '../../../activities/open-set.ts';
import { readManifest, setFolder } from '../../../adapters/backup/repository.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { repositoryFolder } from '../../../adapters/postgres/pgbackrest-config.ts';
import { checkInfoFiles } from '../../../adapters/postgres/repository-info.ts';
import { checkRepository, type RepositoryCheck } from '../../../adapters/postgres/repository-check.ts';
import type { RepositoryFile } from '../../../adapters/postgres/repository-files.ts';
import { physicalFacts } from '../../../domain/cluster.ts';
import type { CheckBackupResult } from '../../../domain/plan.ts';
import { wire } from '../../../worker/wire.ts';
import { newSigningKey, signSet, stepOf } from '../../harness/deployment.ts';
import { PASSPHRASE } from '../../harness/postgres.ts';
import { archiveAll, write } from '../../harness/postgres-scene.ts';
import { bytesInto, randomFrom, type Random } from '../../harness/random.ts';
import { seedEveryType } from '../../harness/redis.ts';
import { backupStep, makeWholeSet, startSetScene, type SetScene } from '../../harness/set-scene.ts';

/**
 * Damage of every kind, at random places of a real set: what a recovery looks at before it changes anything must find
 * each. To see a failure again: FUZZ_SEED=NUMBER.
 */

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_007);
const [OLDER, NEWER] = ['20260101T000000Z-0001', '20260102T000000Z-0002'] as const;

let scene: SetScene;
let check: (set: string) => Promise<CheckBackupResult>;
let repository: RepositoryCheck;

beforeAll(async () => {
  scene = await startSetScene();
  await Promise.all([write(scene.cluster, 1, 20), seedEveryType(scene.redis.client())]);
  for (const set of [OLDER, NEWER]) await makeWholeSet(scene, set);
  await backupStep(scene, 'verify-set', NEWER);
  const { activities } = wire(await loadConfig(scene.configFile), 'dr', 'test');
  const logger = new DefaultLogger('ERROR');
  check = (set) => {
    const input = stepOf(scene, { run: 'rec-test', step: 'check-backup', set });
    return new MockActivityEnvironment({}, { logger }).run(activities['check-backup'], {
      ...input,
      plan: { ...input.plan, backup: set },
    });
  };
  repository = await repositoryOf(NEWER);
});
afterAll(() => scene?.close());

const folder = (set: string): string => setFolder(scene.deployment.backup, 'acme', set);

async function repositoryOf(set: string): Promise<RepositoryCheck> {
  const { manifest } = await readManifest(scene.deployment.backup, 'acme', set);
  const { sink, bytes } = bytesInto();
  const where = {
    deployment: scene.deployment,
    name: 'acme',
    set,
    cache: '/nowhere',
    signal: new AbortController().signal,
    secret: async () => Promise.resolve(scene.keys.operational),
  };
  await openPart(where, manifest, 'pgbackrest-files', sink);
  return {
    root: repositoryFolder(scene.cluster.repository, physicalFacts(manifest).generation),
    set,
    facts: physicalFacts(manifest),
    files: JSON.parse(bytes().toString('utf8')) as RepositoryFile[],
    passphrase: PASSPHRASE,
  };
}

interface Damage {
  readonly what: string;
  /** @returns what puts it right again. */
  readonly inflict: () => Promise<() => Promise<unknown>>;
}

/** Does it, expects the check to refuse it with one of our codes, and undoes it. */
async function mustBeFound(damage: Damage, look: () => Promise<unknown>): Promise<void> {
  const heal = await damage.inflict();
  try {
    const found = await look().then(
      () => 'nothing',
      (error: { type?: string; code?: string; message: string }) => error.type ?? error.code ?? error.message,
    );
    expect(found, `${damage.what}; FUZZ_SEED=${SEED}`).toMatch(/^(OBJECT|MANIFEST)_|^NO_BACKUP$/);
  } finally {
    await heal();
  }
}

/** The file itself is kept, owner and all; a copy of it stands in for it. */
async function aside(file: string): Promise<void> {
  await rename(file, `${file}.kept`);
  await cp(`${file}.kept`, file);
}

/** A bit that flips, a cut at any length, bytes more, or none at all. */
function damageOf(file: string, random: Random): Damage {
  const kind = random.pick(['flip', 'flip', 'flip', 'cut', 'more', 'gone']);
  const keep = async (): Promise<() => Promise<unknown>> => {
    await aside(file);
    return () => rename(`${file}.kept`, file);
  };
  const at = random.fraction();
  const bit = random.below(8);
  return {
    what: `${kind} of ${file}, at ${at}, bit ${bit}`,
    inflict: async () => {
      const heal = await keep();
      const bytes = await readFile(file);
      const place = Math.floor(at * bytes.length);
      if (kind === 'flip') {
        bytes[place]! ^= 1 << bit;
        await writeFile(file, bytes);
      } else if (kind === 'cut') await truncate(file, place);
      else if (kind === 'more') await writeFile(file, Buffer.concat([bytes, bytes.subarray(place)]));
      else await rm(file);
      return heal;
    },
  };
}

test('an undamaged set passes, with its repository', async () => {
  const { proofs, exception } = await check(NEWER);
  expect(proofs!.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass']);
  expect(exception).toBeUndefined();
  expect(await checkRepository(repository)).toEqual({ doubts: [] });
});

test('hundreds of random damages of a set’s files: none passes', async () => {
  const random = randomFrom(SEED);
  // Without its proof a set is only not verified, which is told; a proof that is damaged is refused.
  const files = (await readdir(folder(NEWER))).filter((name) => !name.endsWith('.kept'));
  expect(files).toEqual(expect.arrayContaining(['manifest.json', 'manifest.json.sig', 'verified.json']));
  for (let n = 0; n < 300; n += 1) {
    const name = random.pick(files);
    const damage = damageOf(join(folder(NEWER), name), random);
    if (name === 'verified.json' && damage.what.startsWith('gone')) continue;
    await mustBeFound(damage, () => check(NEWER));
  }
  await check(NEWER);
});

test('dozens of random damages of the database repository: none passes', async () => {
  const random = randomFrom(SEED + 1);
  for (let n = 0; n < 80; n += 1) {
    // WAL is a few of a thousand files and most of what a recovery to the end needs: every fourth of them.
    const wal = repository.files.filter(({ path }) => path.startsWith('archive/'));
    const { path } = random.pick(n % 4 === 0 ? wal : repository.files);
    await mustBeFound(damageOf(join(repository.root, path), random), () => checkRepository(repository));
  }
  await checkRepository(repository);
});

describe('is found', () => {
  const swap = async (first: string, second: string): Promise<void> => {
    await rename(first, `${first}.kept`);
    await rename(second, first);
    await rename(`${first}.kept`, second);
  };

  test('each object exchanged with that of another set, in both', async () => {
    for (const name of (await readdir(folder(NEWER))).filter((file) => file.endsWith('.age'))) {
      const both = [join(folder(OLDER), name), join(folder(NEWER), name)] as const;
      const inflict = async () => {
        await swap(...both);
        return () => swap(...both);
      };
      for (const set of [OLDER, NEWER])
        await mustBeFound({ what: `exchanged ${name}`, inflict }, () => check(set));
    }
  });

  test('an older set’s manifest, or all of an older set, under a newer name', async () => {
    const replay = async (files: readonly string[]): Promise<() => Promise<void>> => {
      await cp(folder(NEWER), `${folder(NEWER)}.kept`, { recursive: true });
      for (const name of files) await cp(join(folder(OLDER), name), join(folder(NEWER), name));
      return async () => {
        await rm(folder(NEWER), { recursive: true });
        await rename(`${folder(NEWER)}.kept`, folder(NEWER));
      };
    };
    const all = await readdir(folder(OLDER));
    for (const files of [['manifest.json'], ['manifest.json', 'manifest.json.sig'], all])
      await mustBeFound({ what: `replayed ${files.join(', ')}`, inflict: () => replay(files) }, () =>
        check(NEWER),
      );
  });

  test('an edited count, whoever else signs it, and every cut of the manifest', async () => {
    const file = join(folder(NEWER), 'manifest.json');
    const text = await readFile(file, 'utf8');
    const signature = await readFile(`${file}.sig`);
    const heal = async (): Promise<void> => {
      await writeFile(file, text);
      await writeFile(`${file}.sig`, signature);
    };
    const { manifest } = await readManifest(scene.deployment.backup, 'acme', NEWER);
    const edited = { ...manifest, redis: { ...manifest.redis!, keys: manifest.redis!.keys - 1 } };
    const forged = async () => {
      await signSet(scene, edited, newSigningKey());
      return heal;
    };
    const unsigned = async () => {
      await writeFile(file, text.replace(/"keys": (\d+)/, '"keys": 9$1'));
      return heal;
    };
    for (const inflict of [forged, unsigned])
      await mustBeFound({ what: 'an edited count', inflict }, () => check(NEWER));
    const random = randomFrom(SEED + 2);
    for (const length of [0, 1, text.length - 2, text.length - 1, ...random.many(20, text.length - 1)]) {
      const inflict = async () => {
        await truncate(file, length);
        return heal;
      };
      await mustBeFound({ what: `manifest cut to ${length}`, inflict }, () => check(NEWER));
    }
  });

  test('a signature that differs only in bits that nobody decodes', async () => {
    const file = join(folder(NEWER), 'manifest.json.sig');
    const text = await readFile(file, 'utf8');
    const inflict = async () => {
      await writeFile(
        file,
        text.replace(/(.)==/, (_all, last: string) => `${next(last)}==`),
      );
      return () => writeFile(file, text);
    };
    await mustBeFound({ what: 'spare bits of base64', inflict }, () => check(NEWER));
  });
});

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const next = (letter: string): string => BASE64[BASE64.indexOf(letter) + 1]!;

describe('pgBackRest’s own keys', () => {
  const info = (name: string): string => join(repository.root, name.replace('STANZA', 'acme'));
  const kept = async (files: readonly string[]): Promise<() => Promise<void>> => {
    for (const file of files) await aside(file);
    return async () => {
      for (const file of files) await rename(`${file}.kept`, file);
    };
  };

  test.each(['backup/STANZA/backup.info', 'archive/STANZA/archive.info'])(
    '%s: one damaged copy is told, two are refused',
    async (name) => {
      const random = randomFrom(SEED + 3);
      const both = [info(name), `${info(name)}.copy`];
      for (let n = 0; n < 20; n += 1) {
        const heal = await kept(both);
        const order = random.below(2) === 0 ? both : both.toReversed();
        for (const [damaged, file] of order.entries()) {
          const bytes = await readFile(file);
          bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
          await writeFile(file, bytes);
          const found = checkInfoFiles(repository.root, 'acme', PASSPHRASE, NEWER);
          if (damaged === 0) expect(await found, `FUZZ_SEED=${SEED}`).toHaveLength(1);
          else await expect(found, `FUZZ_SEED=${SEED}`).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
        }
        await heal();
      }
      const heal = await kept(both);
      await rm(both[0]!);
      // A recovery goes on with the other one and says so; a proof of the set fails.
      expect((await check(NEWER)).exception).toContain('.info is missing');
      await expect(backupStep(scene, 'verify-set', NEWER)).rejects.toThrow(/^OBJECT_DAMAGED: .*is missing/);
      await heal();
    },
  );
});

test('a gap in the WAL behind the newest set refuses a recovery to the end of the archive', async () => {
  await write(scene.cluster, 21, 40);
  const first = await archiveAll(scene.cluster);
  await write(scene.cluster, 41, 60);
  await archiveAll(scene.cluster);
  const archive = join(repository.root, 'archive', 'acme', '15-1', first.slice(0, 16));
  const name = (await readdir(archive)).find((file) => file.startsWith(first))!;
  await rename(join(archive, name), join(archive, `${name}.kept`));
  await expect(check(NEWER)).rejects.toThrow(`object WAL segment ${first}, after it, of backup set`);
  await expect(backupStep(scene, 'verify-set', NEWER)).rejects.toThrow(`WAL_MISSING: WAL segment ${first}`);
  // An older set may have lost what lies behind it: newer ones reach further.
  expect((await backupStep(scene, 'verify-set', OLDER)).summary).toContain('restored into scratch');
  await rename(join(archive, `${name}.kept`), join(archive, name));
  await check(NEWER);
});
