import { appendFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chooseSet } from '../../../activities/choose-set.ts';
import { openObject } from '../../../adapters/backup/open.ts';
import {
  createSet,
  listSets,
  readAttestation,
  readManifest,
  setFolder,
  writeAttestation,
} from '../../../adapters/backup/repository.ts';
import { sealStream } from '../../../adapters/backup/seal.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { Attestation, Manifest } from '../../../domain/manifest.ts';
import { callActivity, killedActivity } from '../../harness/activity.ts';
import {
  backupStepOf,
  newSigningKey,
  signSet,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../../harness/redis.ts';

/** What is in the repository counts only where it is whole, signed by a trusted key, and what its place says. */

const [OLDER, NEWER] = ['20260101T000000Z-0001', '20260102T000000Z-0002'];

let dir: string;
let redis: TestRedis;
let scene: TestDeployment;

beforeAll(async () => {
  [dir, redis] = await Promise.all([mkdtemp(join(tmpdir(), 'tyk-dr-sets-')), startTestRedis()]);
  await redis.client().call('DEBUG', 'POPULATE', '40000', 'key', '300');
  await writeFile(join(dir, 'password'), REDIS_PASSWORD.reveal(), { mode: 0o600 });
  scene = await writeDeployment(dir, {
    redis: { port: redis.endpoint.port, dataDir: redis.dataDir, password: `file:${join(dir, 'password')}` },
  });
});
afterAll(async () => {
  await redis?.close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => mkdir(scene.deployment.backup.repository, { recursive: true }));
afterEach(() => rm(scene.deployment.backup.repository, { recursive: true }));

const folder = (set: string): string => setFolder(scene.deployment.backup, 'acme', set);
const read = (set: string) => readManifest(scene.deployment.backup, 'acme', set);
/** The set that a recovery would take. */
async function chosen(before?: string): Promise<string> {
  const { deployment } = scene;
  const asking = { deployment, name: 'acme', cache: join(dir, 'from-copies'), secret: resolveSecret };
  const plan = { backup: 'latest', ...(before === undefined ? {} : { backupBefore: before }) };
  return (await chooseSet(asking, plan)).manifest.set;
}
const states = async () =>
  Object.fromEntries((await listSets(scene.deployment.backup, 'acme')).map(({ set, state }) => [set, state]));

/** A set of one object. */
async function makeSet(set: string, content: string, deployment = 'acme'): Promise<Manifest> {
  const into = await createSet(scene.deployment.backup, deployment, set);
  const sealed = await sealStream(
    Readable.from([Buffer.from(content)]),
    join(into, 'redis.zst.age'),
    scene.keys.recipients,
  );
  const createdAt = `${set.slice(0, 4)}-${set.slice(4, 6)}-${set.slice(6, 8)}T00:00:00.000Z`;
  return signSet(scene, {
    set,
    deployment,
    createdAt,
    objects: [{ name: 'redis', file: 'redis.zst.age', ...sealed }],
  });
}

describe('a producer that is killed', () => {
  test.each(['manifest.json.sig', 'manifest.json'])(
    'before %s gets its name, leaves nothing that counts as a set',
    async (name) => {
      await createSet(scene.deployment.backup, 'acme', OLDER);
      const input = backupStepOf(scene, 'seal-set', OLDER);
      const killAtRename = { folder: join(folder(OLDER), name), nth: 1, side: 'before' } as const;
      const parts: PartResult[] = [];
      const more = [parts, '2026-01-01T00:00:00.000Z'];
      expect(
        await killedActivity({
          configFile: scene.configFile,
          activity: 'seal-set',
          input,
          more,
          killAtRename,
        }),
      ).toBe(true);
      expect(await states()).toEqual({ [OLDER]: 'incomplete' });
      await expect(chosen()).rejects.toMatchObject({ code: 'NO_BACKUP' });
    },
  );

  test('in the middle of an object, leaves nothing under its name', async () => {
    await createSet(scene.deployment.backup, 'acme', OLDER);
    const input = backupStepOf(scene, 'back-up-redis', OLDER);
    const killAtRename = { folder: join(folder(OLDER), 'redis.zst.age'), nth: 1, side: 'before' } as const;
    const call = { configFile: scene.configFile, activity: 'back-up-redis', input };
    expect(await killedActivity({ ...call, killAtRename })).toBe(true);
    await expect(readFile(join(folder(OLDER), 'redis.zst.age'))).rejects.toThrow('ENOENT');

    // Once more, undisturbed: the rest of the killed one is in nobody's way.
    const warnings: Error[] = [];
    const warned = (warning: Error): number => warnings.push(warning);
    process.on('warning', warned);
    const end = await callActivity(call);
    process.off('warning', warned);
    // Listeners that pile up while the stream waits for its sinks would be memory that grows with the data.
    expect(warnings).toEqual([]);
    expect(end.error).toBeUndefined();
    const { objects, redis: facts } = end.result as PartResult;
    expect(facts!.keys).toBe(40_000);
    await signSet(scene, { set: OLDER, objects });
    expect(await states()).toEqual({ [OLDER]: 'complete' });
  });
});

describe('a manifest is refused', () => {
  test('that a foreign key signed, however well', async () => {
    const manifest = await makeSet(OLDER, 'a');
    await signSet(scene, manifest, newSigningKey());
    await expect(read(OLDER)).rejects.toMatchObject({
      code: 'MANIFEST_ALTERED',
      message: expect.stringContaining('is not trusted') as unknown,
    });
    expect(await states()).toEqual({ [OLDER]: 'altered' });
  });

  test('of another deployment, of the same keys, that was moved here under its own name', async () => {
    await makeSet(OLDER, 'a', 'other');
    await mkdir(join(scene.deployment.backup.repository, 'acme'));
    await rename(setFolder(scene.deployment.backup, 'other', OLDER), folder(OLDER));
    await expect(read(OLDER)).rejects.toMatchObject({ code: 'BACKUP_OF_ANOTHER' });
    expect(await states()).toEqual({ [OLDER]: 'foreign' });
    await expect(chosen()).rejects.toMatchObject({ code: 'NO_BACKUP' });
  });

  test('of an older set that passes as a newer one', async () => {
    await makeSet(OLDER, 'a');
    await cp(folder(OLDER), folder(NEWER), { recursive: true });
    await expect(read(NEWER)).rejects.toMatchObject({ code: 'MANIFEST_ALTERED' });
    expect(await chosen()).toBe(OLDER);
  });

  test.each([
    ['with a byte more', (file: string) => appendFile(file, ' ')],
    [
      'with another number in it',
      async (file: string) => {
        const text = await readFile(file, 'utf8');
        await writeFile(file, text.replace(/"bytes": (\d)/, '"bytes": 1$1'));
      },
    ],
    ['without its signature', (file: string) => rm(`${file}.sig`)],
    [
      'with half a signature',
      async (file: string) => writeFile(`${file}.sig`, (await readFile(`${file}.sig`)).subarray(0, 60)),
    ],
    ['with an empty signature', (file: string) => writeFile(`${file}.sig`, '')],
  ])('%s', async (_how, change) => {
    await makeSet(OLDER, 'a');
    await change(join(folder(OLDER), 'manifest.json'));
    await expect(read(OLDER)).rejects.toMatchObject({ code: expect.stringMatching(/^MANIFEST_/) as unknown });
  });

  test.each(['../../etc', '20260101T000000Z-0001/..', ''])('whose set is called %j', async (set) => {
    await expect(async () => read(set)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  });
});

test('objects of two sets that were exchanged are refused, in both', async () => {
  const [first, second] = [await makeSet(OLDER, 'first!'), await makeSet(NEWER, 'second')];
  const [a, b] = [OLDER, NEWER].map((set) => join(folder(set), 'redis.zst.age'));
  await rename(a!, `${a!}.kept`);
  await rename(b!, a!);
  await rename(`${a!}.kept`, b!);
  for (const { set, objects } of [first, second]) {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await expect(
      openObject({ folder: folder(set), set, object: objects[0]!, identity: scene.keys.offline }, nowhere),
    ).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  }
});

test('a verified set is preferred to a newer one that nobody has restored', async () => {
  await makeSet(OLDER, 'a');
  await makeSet(NEWER, 'b');
  const { backup } = scene.deployment;
  const attestation: Attestation = {
    format: 'tyk-dr/attestation/v1',
    set: OLDER,
    manifestSha256: (await read(OLDER)).sha256,
    verifiedAt: '2026-01-01T01:00:00.000Z',
  };
  await writeAttestation(backup, 'acme', attestation, scene.keys.signing);
  expect(await chosen()).toBe(OLDER);
});

test('the newest set before a moment is chosen, and no set that is not whole', async () => {
  await makeSet(OLDER, 'a');
  await makeSet(NEWER, 'b');
  expect(await chosen()).toBe(NEWER);
  expect(await chosen('2026-01-01T12:00:00.000Z')).toBe(OLDER);
  await expect(chosen('2025-12-31T00:00:00.000Z')).rejects.toThrow('none was taken before');
  await rm(join(folder(NEWER), 'redis.zst.age'));
  expect(await chosen()).toBe(OLDER);
});

test('a set counts as verified only by a proof of its own manifest', async () => {
  const { backup } = scene.deployment;
  await makeSet(OLDER, 'a');
  const signed = await read(OLDER);
  const attestation: Attestation = {
    format: 'tyk-dr/attestation/v1',
    set: OLDER,
    manifestSha256: signed.sha256,
    verifiedAt: '2026-01-01T00:00:00.000Z',
  };
  await writeAttestation(backup, 'acme', attestation, scene.keys.signing);
  expect(await states()).toEqual({ [OLDER]: 'verified' });
  // The same set made again is another one: the proof of the old bytes is no proof of it.
  await makeSet(OLDER, 'another content');
  expect(await readAttestation(backup, 'acme', await read(OLDER))).toBeUndefined();
  expect(await states()).toEqual({ [OLDER]: 'complete' });
  await writeAttestation(
    backup,
    'acme',
    { ...attestation, manifestSha256: (await read(OLDER)).sha256 },
    newSigningKey(),
  );
  // A recovery would refuse it: it must not be listed, or chosen, as if it could be used.
  expect(await states()).toEqual({ [OLDER]: 'altered' });
  await expect(chosen()).rejects.toMatchObject({ code: 'NO_BACKUP' });
});

test('what cannot be read is not taken for absent', async () => {
  const { backup } = scene.deployment;
  await makeSet(OLDER, 'a');
  // Root may read everything: a file where a folder is expected fails for everybody.
  await rename(join(folder(OLDER), 'manifest.json.sig'), join(folder(OLDER), 'kept'));
  await mkdir(join(folder(OLDER), 'manifest.json.sig'));
  expect(await states()).toEqual({ [OLDER]: 'unreadable' });
  await rm(join(backup.repository, 'acme'), { recursive: true });
  await appendFile(join(backup.repository, 'acme'), '');
  await expect(listSets(backup, 'acme')).rejects.toMatchObject({ code: 'REPOSITORY_UNREADABLE' });
});
