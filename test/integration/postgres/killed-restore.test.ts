import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readManifest, writeAttestation } from '../../../adapters/backup/repository.ts';
import { withClient } from '../../../adapters/postgres/client.ts';
import { giveTo } from '../../../adapters/postgres/pgbackrest-config.ts';
import { databaseFacts } from '../../../adapters/postgres/proof.ts';
import { observeSwitch, switchPaths } from '../../../adapters/files/switch-in.ts';
import type { ClusterConfig } from '../../../domain/config.ts';
import { callActivity, killedActivity, startActivity, type ActivityCall } from '../../harness/activity.ts';
import { signSet, stepOf, writeDeployment, type TestDeployment } from '../../harness/deployment.ts';
import { PASSPHRASE, startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import { archiveAll, backUpSet, countRestores, numbers, range, write } from '../../harness/postgres-scene.ts';

/**
 * The activity restore-database-data in a process that gets SIGKILL: whenever that was, the same call again ends with
 * the right data in place, the old ones are kept until the run is over, and an undo brings them back.
 */

const SET = '20260101T000000Z-0001';
const STEP = 'restore-database-data';

let cluster: TestCluster;
let scene: TestDeployment;
let dr: ClusterConfig;
let run: string;
let runs = 0;
/** How long a restore takes that nobody disturbs, with the start of its process. */
let wholeMs = 0;

beforeAll(async () => {
  cluster = await startTestCluster();
  await write(cluster, 1, 50);
  const facts = await backUpSet(cluster, SET);
  const rows = await withClient(cluster.admin, (client) =>
    databaseFacts(client, { recoveredLsn: facts.restorePointLsn, timeline: 1 }),
  );
  await write(cluster, 51, 60);
  await archiveAll(cluster);
  dr = await siteBeside();
  const { repository, stanza } = cluster.repository;
  const pgbackrest = { repository, stanza, passphrase: PASSPHRASE };
  scene = await writeDeployment(join(cluster.dir, 'config'), { database: dr, pgbackrest });
  const manifest = await signSet(scene, { set: SET, database: facts });
  await writeAttestation(
    scene.deployment.backup,
    'acme',
    {
      format: 'tyk-dr/attestation/v1',
      set: SET,
      manifestSha256: (await readManifest(scene.deployment.backup, 'acme', SET)).sha256,
      verifiedAt: manifest.createdAt,
      database: rows,
    },
    scene.keys.signing,
  );
});
afterAll(() => cluster?.close());

/** A site that has data already, of its own, which a recovery replaces. */
beforeEach(async () => {
  runs += 1;
  run = `run-${runs}`;
  for (const name of await readdir(join(dr.dataDir, '..')))
    await rm(join(dr.dataDir, '..', name), { recursive: true });
  await mkdir(dr.dataDir);
  await writeFile(join(dr.dataDir, 'old'), 'the old data');
});

test('killed on each side of each rename, the switch is finished by the next call, and undone by an undo', async () => {
  const startedAt = performance.now();
  // How far the call before came decides which rename comes first to the next one.
  for (const [nth, side, inPlace] of [
    [1, 'before', 'old'],
    [1, 'after', 'nothing'],
    [1, 'before', 'nothing'],
    [1, 'after', 'new'],
  ] as const) {
    const killAtRename = { folder: dr.dataDir, nth, side };
    expect(await killedActivity({ ...callOf(STEP), killAtRename })).toBe(true);
    expect(await whatIsInPlace()).toBe(inPlace);
    wholeMs ||= performance.now() - startedAt;
  }
  expect(await callActivity(callOf(STEP))).toMatchObject({ result: { observed: true } });
  // What a killed call had finished is not made again.
  expect(await countRestores(dr.pgbackrest.logPath)).toBe(1);
  await expectRestored();
  await expectOldDataKept();

  for (const [side, inPlace] of [
    ['before', 'new'],
    ['after', 'nothing'],
    ['before', 'nothing'],
    ['after', 'old'],
  ] as const) {
    const killAtRename = { folder: dr.dataDir, nth: 1, side };
    expect(await killedActivity({ ...callOf('undo-switch'), killAtRename })).toBe(true);
    expect(await whatIsInPlace()).toBe(inPlace);
  }
  expect((await callActivity(callOf('undo-switch'))).error).toBeUndefined();
  expect(await whatIsInPlace()).toBe('old');
  expect(await beside()).toEqual([]);
});

test('killed at any moment, several times in a row, the next call ends with the right data', async () => {
  const before = await countRestores(dr.pgbackrest.logPath);
  for (const part of [0.4, 0.6, 0.8]) {
    const call = await startActivity(callOf(STEP));
    await Promise.race([call.end, sleep(wholeMs * (part + (Math.random() - 0.5) / 5))]);
    call.kill();
    await call.end;
    // Between the two renames nothing is in place, as the test above has it: then the old and the new are whole beside.
    if ((await whatIsInPlace()) !== 'nothing') continue;
    expect(await observeSwitch(switchPaths(dr.dataDir, run), { run, step: STEP, set: SET })).toBe('halfway');
    await expectOldDataKept();
  }
  const end = await callActivity(callOf(STEP));
  expect(end.error).toBeUndefined();
  for (const proof of end.result!.proofs ?? []) expect(proof.verdict, proof.name).toBe('pass');
  expect((await countRestores(dr.pgbackrest.logPath)) - before).toBeLessThanOrEqual(4);
  await expectRestored();
  await expectOldDataKept();
  expect((await callActivity(callOf('discard-old-data'))).error).toBeUndefined();
  expect(await beside()).toEqual([]);
  expect(await whatIsInPlace()).toBe('new');
});

/** Folders, port and tools of a second site on this host. */
async function siteBeside(): Promise<ClusterConfig> {
  const dir = join(cluster.dir, 'dr');
  await mkdir(join(dir, 'postgres'), { recursive: true });
  await giveTo(cluster.config.runAs, dir, join(dir, 'postgres'));
  return {
    ...cluster.config,
    port: 10,
    dataDir: join(dir, 'postgres', 'data'),
    pgbackrest: {
      configFile: join(dir, 'pgbackrest.conf'),
      lockPath: join(dir, 'lock'),
      spoolPath: join(dir, 'spool'),
      logPath: join(dir, 'log'),
    },
  };
}

function callOf(activity: string): ActivityCall {
  const input = stepOf(scene, { run, step: STEP, set: SET, epoch: runs });
  return { configFile: scene.configFile, activity, input };
}

async function whatIsInPlace(): Promise<'old' | 'new' | 'nothing'> {
  const names = await readdir(dr.dataDir).catch(() => undefined);
  if (names === undefined) return 'nothing';
  return names.includes('old') ? 'old' : 'new';
}

async function beside(): Promise<string[]> {
  return (await readdir(join(dr.dataDir, '..'))).filter((name) => name !== 'data');
}

async function expectOldDataKept(): Promise<void> {
  expect(await readFile(join(switchPaths(dr.dataDir, run).undoDir, 'old'), 'utf8')).toBe('the old data');
}

/** A server that starts on what is in place has every acknowledged row. */
async function expectRestored(): Promise<void> {
  await cluster.stop();
  await cluster.start(dr.dataDir, ['archive_mode=off']);
  expect(await numbers(cluster.admin)).toEqual(range(1, 60));
  await cluster.stop();
  await cluster.start();
}
