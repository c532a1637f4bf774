import { cp, mkdtemp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readManifest, setFolder } from '../../../adapters/backup/repository.ts';
import { listSnapshots } from '../../../adapters/backup/snapshots.ts';
import type { ParentResult, PartResult } from '../../../domain/backup.ts';
import type { CheckBackupResult, RecoverPlan } from '../../../domain/plan.ts';
import { skewOf } from '../../../domain/points.ts';
import { callActivity } from '../../harness/activity.ts';
import { signSet, stepOf, writeDeployment, type TestDeployment } from '../../harness/deployment.ts';
import { randomFrom } from '../../harness/random.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { backupStep, makeWholeSet } from '../../harness/set-scene.ts';

/** Snapshots of a real Redis and of real files: what a recovery makes of them, and what it finds when they are damaged. */

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_007);
const [OLD, SET] = ['20260101T000000Z-0001', '20260102T000000Z-0002'] as const;
const [FIRST, SECOND] = ['20260102T010000Z-0003-redis', '20260102T020000Z-0004-redis'] as const;
const CONFIG = '20260102T030000Z-0005-config';

let dir: string;
let redis: TestRedis;
let scene: TestDeployment;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  redis = await startTestRedis();
  await writeFile(join(dir, 'redis-password'), REDIS_PASSWORD.reveal(), { mode: 0o600 });
  const { endpoint, dataDir } = redis;
  const password = `file:${join(dir, 'redis-password')}`;
  scene = await writeDeployment(dir, { redis: { port: endpoint.port, dataDir, password } });
  await mkdir(join(dir, 'dr', 'gw1'), { recursive: true });
  await mkdir(scene.deployment.sites['dr']!.stateDir, { recursive: true });
  await writeFile(join(dir, 'dr', 'gw1', 'tyk.conf'), '{"listen_port": 1}\n');
});
afterAll(async () => {
  await redis?.close();
  await rm(dir, { recursive: true, force: true });
});

const folder = (id: string): string => setFolder(scene.deployment.backup, 'acme', id);
const STORES = ['back-up-redis', 'back-up-config'];

async function makeSnapshot(id: string): Promise<void> {
  const { belongsTo } = await backupStep<ParentResult>(scene, 'find-parent-set', id);
  const part = await backupStep<PartResult>(scene, `back-up-${id.split('-')[2]}`, id);
  await backupStep(scene, 'seal-set', id, [[part], new Date().toISOString(), belongsTo]);
}

/** What a recovery looks at before it changes anything. */
async function check(change: Partial<RecoverPlan> = {}): Promise<CheckBackupResult> {
  const input = stepOf(scene, { run: 'rec-test', step: 'check-backup', set: SET });
  const { result, error } = await callActivity({
    configFile: scene.configFile,
    activity: 'check-backup',
    input: { ...input, plan: { ...input.plan, backup: SET, ...change } },
  });
  if (error) throw new Error(`${error.code}: ${error.message}`);
  return result as CheckBackupResult;
}

const used = ({ set }: CheckBackupResult): string[] => (set.snapshots ?? []).map(({ snapshot }) => snapshot);

test('without a set of its site there is nothing that a snapshot could belong to', async () => {
  await expect(makeSnapshot(FIRST)).rejects.toThrow(/^NO_PARENT_SET: .*none is complete and signed/);
  await signSet(scene, { set: '20250101T000000Z-0000', site: 'primary' });
  await expect(makeSnapshot(FIRST)).rejects.toThrow('is of site primary, not dr');
  await rm(folder('20250101T000000Z-0000'), { recursive: true });
});

describe('with a set', () => {
  beforeAll(async () => {
    const client = redis.client();
    for (const [id, make] of [
      [OLD, makeWholeSet],
      [SET, makeWholeSet],
      [FIRST, (_: TestDeployment, each: string) => makeSnapshot(each)],
      [SECOND, (_: TestDeployment, each: string) => makeSnapshot(each)],
      [CONFIG, (_: TestDeployment, each: string) => makeSnapshot(each)],
    ] as const) {
      await client.set(`apikey-${id}`, '{}');
      await make(scene, id, STORES);
    }
    for (const id of [SET, FIRST, SECOND]) await backupStep(scene, 'verify-set', id);
  });

  test('a recovery uses its newest snapshots, and tells the points of the stores', async () => {
    const found = await check();
    expect(used(found)).toEqual([SECOND, CONFIG]);
    expect(found.set).toMatchObject({ set: SET, redisKeys: 4 });
    expect(found.points.map(({ store, from }) => [store, from])).toEqual([
      ['redis', `snapshot ${SECOND}`],
      ['config', `snapshot ${CONFIG}`],
    ]);
    const { manifest } = await readManifest(scene.deployment.backup, 'acme', CONFIG);
    const second = await readManifest(scene.deployment.backup, 'acme', SECOND);
    expect(skewOf(found.points)!.ms).toBe(
      Date.parse(manifest.configTakenAt!) - Date.parse(second.manifest.redis!.takenAt),
    );
    expect(found.exception).toBeUndefined();
    expect(used(await check({ snapshots: 'none' }))).toEqual([]);
    expect(used(await check({ backup: OLD }))).toEqual([]);
    expect(used(await check({ backup: FIRST }))).toEqual([FIRST]);
    expect((await check({ backup: FIRST })).set.set).toBe(SET);
  });

  test('none that was taken after the damage, named or not', async () => {
    const { createdAt } = (await readManifest(scene.deployment.backup, 'acme', SECOND)).manifest;
    const damaged = { backupBefore: createdAt, point: { kind: 'set' } } as const;
    expect(used(await check(damaged))).toEqual([FIRST]);
    await expect(check({ ...damaged, backup: SECOND })).rejects.toThrow(/^NO_BACKUP: .*after the damage/);
  });

  test('one that was proven goes before a newer one that was not, which is told', async () => {
    await rename(join(folder(SECOND), 'verified.json'), join(folder(SECOND), 'kept'));
    const found = await check();
    expect(used(found)).toContain(FIRST);
    expect(found.summary).toContain(`the newer snapshot ${SECOND} was never verified`);
    await rename(join(folder(SECOND), 'kept'), join(folder(SECOND), 'verified.json'));
  });

  test('the step that restores takes the keys of the snapshot', async () => {
    const input = stepOf(scene, { run: 'rec-restore', step: 'restore-redis-data', set: SET });
    const target = join(dir, 'restored');
    await mkdir(target);
    const text = await readFile(scene.configFile, 'utf8');
    const configFile = join(dir, 'elsewhere.yaml');
    await writeFile(configFile, text.replaceAll(redis.dataDir, target), { mode: 0o600 });
    const { result, error } = await callActivity({
      configFile,
      activity: 'restore-redis-data',
      input: { ...input, snapshots: { redis: SECOND } },
    });
    expect(error).toBeUndefined();
    expect(result!.reached).toMatchObject({ store: 'redis', from: `snapshot ${SECOND}` });
    const rdb = (await readdir(target, { recursive: true })).find((name) => name.endsWith('.rdb'))!;
    expect(await readFile(join(target, rdb), 'latin1')).toContain(SECOND);
  });

  test('random damage of its files is found: the older one is taken, and told as an exception', async () => {
    const random = randomFrom(SEED);
    const files = (await readdir(folder(SECOND))).filter((name) => name !== 'verified.json.sig');
    expect(files).toContain('manifest.json');
    for (let n = 0; n < 16; n += 1) {
      const file = join(folder(SECOND), random.pick(files));
      const kind = random.pick(['flip', 'flip', 'cut', 'more', 'gone'] as const);
      // Without its proof, or its manifest, it is not verified, or none: neither is damage.
      if (kind === 'gone' && /(verified|manifest)\.json$/.test(file)) continue;
      const bytes = await readFile(file);
      const at = random.below(bytes.length);
      await rename(file, join(dir, 'kept'));
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << random.below(8);
      if (kind !== 'gone') await writeFile(file, kind === 'more' ? Buffer.concat([bytes, bytes]) : changed);
      if (kind === 'cut') await truncate(file, at);
      const what = `${kind} of ${file} at ${at}; FUZZ_SEED=${SEED}`;
      const found = await check();
      expect(used(found), what).toEqual([FIRST, CONFIG]);
      expect(found.exception, what).toContain(`snapshot ${SECOND} cannot be used`);
      expect(found.exception, what).toContain(`Redis comes from the older snapshot ${FIRST}`);
      await expect(check({ backup: SECOND }), what).rejects.toThrow(/^(OBJECT|MANIFEST)_/);
      await rm(file, { force: true });
      await rename(join(dir, 'kept'), file);
    }
    expect(used(await check())).toContain(SECOND);
  });

  test.each([
    ['made for another set', (sha: string) => ({ set: OLD, manifestSha256: sha }), OLD],
    ['made for other bytes of its set', () => ({ set: SET, manifestSha256: 'a'.repeat(64) }), SET],
    [
      'made for a set that is gone',
      (sha: string) => ({ set: '20250101T000000Z-9999', manifestSha256: sha }),
      SET,
    ],
  ])('a snapshot %s is found', async (_what, belongsTo, set) => {
    const { manifest, sha256 } = await readManifest(scene.deployment.backup, 'acme', SECOND);
    await cp(folder(SECOND), join(dir, 'whole'), { recursive: true });
    await signSet(scene, { ...manifest, belongsTo: belongsTo(sha256) });
    const [listed] = await listSnapshots(scene.deployment.backup, 'acme').then((all) =>
      all.filter((each) => each.set === SECOND),
    );
    expect(listed!.state).toBe('orphaned');
    await expect(backupStep(scene, 'verify-set', SECOND)).rejects.toThrow('MANIFEST_ORPHANED');
    await expect(check({ backup: SECOND })).rejects.toThrow(/^(MANIFEST_ORPHANED|NO_BACKUP)/);
    expect(used(await check({ backup: set }))).not.toContain(SECOND);
    await rm(folder(SECOND), { recursive: true });
    await rename(join(dir, 'whole'), folder(SECOND));
  });

  test('an older snapshot under a newer name, and one that holds another store, are found', async () => {
    await cp(folder(SECOND), join(dir, 'whole'), { recursive: true });
    for (const name of await readdir(folder(FIRST)))
      await cp(join(folder(FIRST), name), join(folder(SECOND), name));
    expect((await check()).exception).toContain(`it is the manifest of ${FIRST}`);
    const { manifest } = await readManifest(scene.deployment.backup, 'acme', CONFIG);
    await signSet(scene, { ...manifest, set: SECOND });
    expect((await check()).exception).toContain('a snapshot holds the one store that its id names');
    await rm(folder(SECOND), { recursive: true });
    await rename(join(dir, 'whole'), folder(SECOND));
  });

  test('what a killed run has left goes with the next of its kind; a set that is being made stays', async () => {
    const [left, set] = ['20260102T040000Z-0006-redis', '20260102T050000Z-0007'] as const;
    for (const id of [left, set]) await backupStep(scene, 'back-up-redis', id);
    expect(used(await check())).toEqual([SECOND, CONFIG]);
    await backupStep(scene, 'back-up-redis', '20260102T060000Z-0008-redis');
    const names = await readdir(join(folder(SET), '..'));
    expect(names).not.toContain(left);
    expect(names).toContain(set);
  });
});
