import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holdsEntry, withMember } from '../../../adapters/mongodb/replica-set.ts';
import { parseOptime } from '../../../domain/replica-set.ts';
import type { CheckReplicasResult, CheckSourceResult, StopWritesResult } from '../../../domain/plan.ts';
import { raiseFence, readFence } from '../../../adapters/host/fence.ts';
import { runBeacon } from '../../../activities/beacon.ts';
import { checkReplication } from '../../../activities/doctor/replication.ts';
import type { Member } from '../../harness/replica-set/member.ts';
import {
  startReplicaScene,
  type ReplicaScene,
  type SceneRun,
  type SiteName,
} from '../../harness/replica-set/scene.ts';

/**
 * MongoDB of two sites as members of one replica set, by the real activities and the real driver, against a stand-in for
 * the set that answers by the rules of MongoDB's manual. Not proven on a genuine mongod.
 */

let scene: ReplicaScene;
beforeEach(async () => {
  scene = await startReplicaScene();
}, 60_000);
afterEach(() => scene?.close());

const apis = () => scene.client().db('tyk_analytics').collection<{ _id: number }>('tyk_apis');
const holds = async (member: Member): Promise<number[]> => {
  const client = new MongoClient(`mongodb://${member.name}/?directConnection=true`);
  try {
    const found = await client.db('tyk_analytics').collection('tyk_apis').find().sort({ _id: 1 }).toArray();
    return found.map(({ _id }) => Number(_id));
  } finally {
    await client.close();
  }
};
const weights = (of: Member): Record<string, string> =>
  Object.fromEntries(of.config!.members.map(({ host, votes, priority }) => [host, `${votes}/${priority}`]));

async function replicate(to: SiteName): Promise<SceneRun> {
  const run = scene.run(to);
  const { stores } = await run.step<CheckSourceResult>('check-source');
  await run.step('check-standby', [stores]);
  for (const step of [
    'open-replication',
    'claim-standby',
    'copy-database',
    'mark-standby',
    'follow-database',
  ])
    await run.step(step);
  const { standing } = await run.step<CheckReplicasResult>('prove-replicas');
  expect(standing).toMatchObject([{ store: 'database', role: 'follows', streaming: true, logLagMs: 0 }]);
  return run;
}

/** Up to the stop of the source. */
async function stopWrites(run: SceneRun): Promise<StopWritesResult> {
  await run.step('check-replicas');
  return run.step<StopWritesResult>('stop-writes');
}

async function gracefully(to: SiteName): Promise<void> {
  const run = scene.run(to, 'graceful');
  const { ends } = await stopWrites(run);
  // Called again after a kill, it finds what it did.
  expect((await run.step<StopWritesResult>('stop-writes')).ends).toHaveLength(1);
  const level = await run.step('await-level', [ends]);
  expect(level.proofs).toMatchObject([{ verdict: 'pass' }]);
  for (const step of ['fence-source', 'take-command', 'promote-database']) await run.step(step);
}

describe('a site that is to follow', () => {
  test('gets its data from the set, has no say in it, and costs the source nothing when it is lost', async () => {
    await apis().insertMany([{ _id: 1 }, { _id: 2 }]);
    const run = await replicate('dr');
    expect(await holds(scene.dr)).toEqual([1, 2]);
    expect(weights(scene.primary)).toEqual({ [scene.primary.name]: '1/1', [scene.dr.name]: '0/0' });
    await scene.dr.stop();
    await apis().insertOne({ _id: 3 });
    expect(scene.primary.state).toBe('PRIMARY');
    // Called again after a kill, nothing is done twice.
    await scene.dr.start();
    for (const step of ['open-replication', 'copy-database', 'follow-database'])
      expect((await run.step(step)).summary).toMatch(/already|laid aside/);
    await expect.poll(() => holds(scene.dr)).toEqual([1, 2, 3]);
  });

  test('is let go again by an undo, with what it had before', async () => {
    await scene.dr.start();
    const run = scene.run('dr');
    for (const step of ['open-replication', 'claim-standby', 'copy-database']) await run.step(step);
    await run.step('copy-database', [], 'undo-copy');
    const closed = await run.step('open-replication', [], 'close-replication');
    expect(closed.summary).toBe(`${scene.dr.name} removed from the replica set`);
    expect(weights(scene.primary)).toEqual({ [scene.primary.name]: '1/1' });
    expect((await run.step('open-replication', [], 'close-replication')).summary).toMatch(/left in/);
  });

  test('is refused a source that is no primary, or is called otherwise by its set', async () => {
    await replicate('dr');
    const unfit = await scene.run('primary').call('check-source');
    // Site dr is a standby, which is told before its database is asked.
    expect(unfit.error?.code).toBe('STANDBY_IS_ANOTHER');
    scene.primary.config = {
      ...scene.primary.config!,
      members: scene.primary.config!.members.map((each) =>
        each.host === scene.primary.name ? { ...each, host: 'mongo.london:27017' } : each,
      ),
    };
    const { error } = await scene.run('dr').call('check-source');
    expect(error?.code).toBe('SOURCE_UNFIT');
    expect(error?.message).toMatch(/does not call it 127\.0\.0\.1:\d+, but one of mongo\.london:27017/);
  });
});

describe('a graceful failover', () => {
  test('loses nothing: the standby is elected once it has everything, and stays the primary without the source', async () => {
    await replicate('dr');
    await apis().insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    await gracefully('dr');
    expect(scene.primary.up).toBe(false);
    expect(scene.dr.state).toBe('PRIMARY');
    expect(await holds(scene.dr)).toEqual([1, 2, 3]);
    // A primary that missed its majority would have stepped down by now.
    await apis().insertOne({ _id: 4 });
    expect(weights(scene.dr)).toEqual({ [scene.primary.name]: '0/0', [scene.dr.name]: '1/1' });
  });

  test('and back: a circle ends with the set as it began', async () => {
    await replicate('dr');
    await apis().insertOne({ _id: 1 });
    await gracefully('dr');
    await apis().insertOne({ _id: 2 });
    const rejoin = await replicate('primary');
    expect((await rejoin.step('keep-abandoned')).exception).toBeUndefined();
    await gracefully('primary');
    await replicate('dr');
    expect(weights(scene.primary)).toEqual({ [scene.primary.name]: '1/1', [scene.dr.name]: '0/0' });
    expect(await holds(scene.dr)).toEqual([1, 2]);
  }, 60_000);

  test('waits for a standby that is behind, and takes no write meanwhile', async () => {
    await replicate('dr');
    scene.dr.paused = true;
    await apis().insertOne({ _id: 1 });
    const stopping = stopWrites(scene.run('dr', 'graceful'));
    await scene.set.until(() => scene.primary.holdsWrites);
    await expect(apis().insertOne({ _id: 2 }, { timeoutMS: 500 })).rejects.toThrow();
    scene.dr.paused = false;
    const { ends } = await stopping;
    expect(ends).toMatchObject([{ store: 'database' }]);
    expect(await holds(scene.dr)).toEqual([1]);
  });

  test('is taken back from every point before the source is stopped', async () => {
    await replicate('dr');
    const before = weights(scene.primary);
    const run = scene.run('dr', 'graceful');
    // Nothing had happened.
    expect((await run.step('stop-writes', [], 'resume-writes')).summary).toMatch(/^MongoDB written to again/);
    await stopWrites(run);
    expect(scene.dr.state).toBe('PRIMARY');
    await apis().insertOne({ _id: 7 });
    for (let times = 0; times < 2; times += 1) {
      await run.step('stop-writes', [], 'resume-writes');
      expect(scene.primary.state).toBe('PRIMARY');
      expect(weights(scene.primary)).toEqual(before);
    }
    expect(await holds(scene.primary)).toEqual([7]);
  });

  test('looks for the last entry of the source in the log of the standby, and not only at how far that is', async () => {
    await replicate('dr');
    const { ends } = await stopWrites(scene.run('dr', 'graceful'));
    const end = parseOptime(ends[0]!.position);
    const endpoint = { host: '127.0.0.1', port: scene.dr.port, database: 'tyk_analytics' };
    await withMember(endpoint, async (member) => {
      expect(await holdsEntry(member, end)).toBe(true);
      expect(await holdsEntry(member, { ...end, ordinal: end.ordinal + 1000 })).toBe(false);
      expect(await holdsEntry(member, { ...end, term: end.term - 1 })).toBe(false);
    });
  });
});

describe('a forced failover', () => {
  test('makes the survivor the primary, and what only the old site had is kept by name when it comes back', async () => {
    await replicate('dr');
    await apis().insertOne({ _id: 1 });
    await scene.set.until(() => scene.dr.log.length === scene.primary.log.length);
    scene.dr.paused = true;
    await apis().insertOne({ _id: 2 });
    await scene.primary.stop();
    scene.dr.paused = false;

    const run = scene.run('dr', 'forced', true);
    const { standing } = await run.step<CheckReplicasResult>('check-replicas');
    expect(standing).toMatchObject([
      { role: 'follows', streaming: false, problem: 'the replica set has no primary' },
    ]);
    await run.step('fence-source');
    await run.step('take-command');
    const promoted = await run.step('promote-database');
    expect(promoted.summary).toContain(`a configuration of ${scene.dr.name} was forced`);
    expect(promoted.summary).toContain('not proven on a genuine mongod');
    expect(await readFence(scene.deployment.sites['primary']!.stateDir)).toBeDefined();
    expect((await run.step('promote-database')).observed).toBe(true);
    expect(await holds(scene.dr)).toEqual([1]);
    await apis().insertOne({ _id: 3 });

    const rejoin = await replicate('primary');
    expect(await holds(scene.primary)).toEqual([1, 3]);
    const { exception } = await rejoin.step('keep-abandoned');
    const file = /\S+removed\.\S+\.bson/.exec(exception!)![0];
    expect(file).toContain(join(scene.primary.dir, 'rollback', 'tyk_apis'));
    expect(BSON.deserialize(await readFile(file))).toEqual({ _id: 2 });
  }, 60_000);

  test('adopts what a majority has elected, and forces nothing', async () => {
    await replicate('dr');
    const third = scene.set.members[2]!;
    await third.start();
    // As people set it up who let the set elect by itself.
    const now = scene.primary.config!;
    const elects = (members: unknown[], version: number) =>
      scene
        .client()
        .db('admin')
        .command({ replSetReconfig: { ...now, members, version } });
    const two = now.members.map((each) =>
      each.host === scene.dr.name ? { ...each, votes: 1, priority: 0.5 } : each,
    );
    await elects(two, now.version + 1);
    await elects(
      [...two, { _id: 9, host: third.name, votes: 1, priority: 0, arbiterOnly: false }],
      now.version + 2,
    );
    await scene.set.until(() => third.state === 'SECONDARY');
    await scene.primary.stop();
    await scene.set.until(() => scene.dr.state === 'PRIMARY');
    const { version } = scene.dr.config!;

    const run = scene.run('dr', 'forced', true);
    const { standing } = await run.step<CheckReplicasResult>('check-replicas');
    expect(standing).toMatchObject([{ role: 'writes', elected: true }]);
    await run.step('fence-source');
    await run.step('take-command');
    const promoted = await run.step('promote-database');
    expect(promoted).toMatchObject({ observed: true });
    expect(promoted.summary).toContain('was elected already');
    expect(scene.dr.config!.version).toBe(version);
    expect(scene.dr.config!.members).toHaveLength(3);
  });

  test('is refused while the source is still the primary', async () => {
    await replicate('dr');
    const run = scene.run('dr', 'forced', true);
    await run.step('check-replicas');
    await run.step('take-command');
    const { error } = await run.call('promote-database');
    expect(error?.code).toBe('PROMOTION_FAILED');
    expect(error?.message).toContain(`${scene.primary.name} is still PRIMARY`);
    expect(scene.primary.state).toBe('PRIMARY');
  });
});

test('a recovery from a backup can write on the site of a standby, and not before the source is fenced', async () => {
  await replicate('dr');
  const run = scene.recover();
  expect((await run.call('start-database')).error?.code).toBe('PROMOTION_FAILED');
  await run.step('fence-source');
  expect(await run.step('start-database')).toMatchObject({
    proofs: [{ name: 'it accepts writes', verdict: 'pass' }],
  });
  expect(weights(scene.dr)).toEqual({ [scene.dr.name]: '1/1' });
}, 30_000);

test('what the user may not run is named, with the roles that it needs', async () => {
  scene.set.denied.add('replSetReconfig');
  const { error } = await scene.run('dr').call('open-replication');
  expect(error?.code).toBe('MONGO_DENIED');
  expect(error?.message).toMatch(/may not run replSetReconfig on MongoDB at 127\.0\.0\.1/);
  expect(error?.details?.hint).toContain('clusterManager');
});

test('the doctor looks at both members, and says what was never proven', async () => {
  const examine = async (site: SiteName): Promise<string[]> => {
    const { deployment } = scene;
    const found = await checkReplication({
      ...{ worker: site, deploymentName: 'acme', deployment, siteName: site, site: deployment.sites[site]! },
      ...{ where: site, live: site === 'primary', nonce: '', signal: new AbortController().signal },
      secret: () => Promise.reject(new Error('there is none')),
    });
    return found.map(({ severity, message }) => `${severity} ${message}`);
  };
  await replicate('dr');
  const unproven = 'failing over to it or from it is not proven on a genuine mongod, see docs/mongodb.md';
  expect(await examine('primary')).toEqual([
    `ok MongoDB is PRIMARY of rs0, 1 votes, priority 1; ${unproven}`,
  ]);
  expect(await examine('dr')).toEqual([`ok MongoDB is SECONDARY of rs0, 0 votes, priority 0; ${unproven}`]);
  const now = scene.primary.config!;
  await scene
    .client()
    .db('admin')
    .command({
      replSetReconfig: {
        ...now,
        version: now.version + 1,
        members: now.members.map((each) => ({ ...each, votes: 1 })),
      },
    });
  await expect
    .poll(() => examine('dr'))
    .toContain(
      `warning without ${scene.dr.name} no majority of the voting members is left: its loss would stop the site that serves`,
    );
  await scene.primary.stop();
  await expect
    .poll(() => examine('dr'))
    .toEqual([expect.stringMatching(/^error the replica set rs0 has no primary; of /)]);
});

test('the lag is that of the watermarks in the very member, and one over the limit is refused', async () => {
  await scene.close();
  scene = await startReplicaScene({ beacon: {}, replication: { maxLag: '2s' } });
  const { deployment } = scene;
  const end = new AbortController();
  const beacon = runBeacon({
    deps: {
      ...{ worker: 'primary', deployment: () => deployment, digest: () => '', usedSecrets: () => [] },
      secret: () => Promise.reject(new Error('there is none')),
    },
    ...{ deployment: 'acme', siteName: 'primary', signal: end.signal, say: () => undefined },
  });
  try {
    await replicate('dr');
    const run = scene.run('dr', 'forced');
    const { standing } = await run.step<CheckReplicasResult>('check-replicas');
    expect(standing[0]!.lagMs).toBeLessThanOrEqual(2_000);
    scene.dr.paused = true;
    await expect
      .poll(async () => (await run.call('check-replicas')).error?.code, { timeout: 20_000, interval: 500 })
      .toBe('LAG_TOO_LARGE');
  } finally {
    end.abort();
    await beacon;
  }
}, 60_000);

describe('the old data of a site', () => {
  const madeBy = async (fencedBy?: string): Promise<string> => {
    const { stateDir } = scene.deployment.sites['dr']!;
    await scene.dr.start();
    await scene.dr.stop();
    if (fencedBy !== undefined) await raiseFence(stateDir, fencedBy);
    const run = scene.run('dr');
    await run.step('claim-standby');
    return (await run.step('copy-database')).summary;
  };

  test('are laid aside, as they are of another set', async () => {
    expect(await madeBy()).toMatch(/^laid aside what was there/);
    const [old] = (await readdir(scene.set.dir)).filter((name) => name.startsWith('member-1.tyk-dr-old-'));
    expect(old).toBeDefined();
  });

  test('are laid aside where the site was recovered elsewhere, into a set of its own', async () => {
    expect(await madeBy('run rec-20260101T000000Z-0001')).toMatch(/^laid aside what was there/);
  });

  test('are kept where a failover gave the site up: the server winds them back', async () => {
    expect(await madeBy('run fo-20260101T000000Z-0001')).toMatch(/^its own data are kept/);
  });
});
