import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clockPoint } from '../../domain/clock.ts';
import type { MonitorSummary } from '../../domain/monitor.ts';
import type { RunRecord, StepResult } from '../../domain/run.ts';
import { DEAD } from '../harness/monitor-views.ts';
import { FAIL_AFTER_MS, Stage, type Scene, type SceneOptions } from '../harness/monitor-scene.ts';
import { refused, send } from '../harness/told-run.ts';
import { startTemporal } from '../harness/temporal.ts';

/** The monitor on a real Temporal server: who decides, what is done, and what is not. */

let environment: TestWorkflowEnvironment;
let stage: Stage;
beforeAll(async () => {
  environment = await startTemporal();
  stage = new Stage(environment);
}, 60_000);
afterAll(async () => {
  await stage.close();
  await environment.teardown();
});

const is =
  (state: MonitorSummary['state']) =>
  (summary: MonitorSummary): boolean =>
    summary.state === state;
/** It has been so for several times what it takes to fail. */
const lasts =
  (state: MonitorSummary['state']) =>
  (summary: MonitorSummary): boolean =>
    summary.state === state && Date.now() - Date.parse(summary.since) > 3 * FAIL_AFTER_MS;
const by = { actor: 'ann', reason: 'as agreed' };

/** Everything of the primary is dead; the observers beside it see it too. */
function killPrimary({ sees }: Scene): void {
  for (const observer of ['dr', 'witness']) sees.set(observer, DEAD);
  sees.set('primary', { ...DEAD, own: true });
}
const noRun = (scene: Scene): Promise<unknown> =>
  expect(scene.run().describe()).rejects.toThrow(/not found|no rows/i);

describe.concurrent('who decides', () => {
  test('one observer never, a blind one and a silent one neither; two that see it do, and people are told', async () => {
    await stage.play({}, async (scene) => {
      await scene.reaches(is('healthy'));
      scene.sees.set('dr', DEAD);
      scene.sees.set('witness', { ...DEAD, sighted: false });
      const alone = await scene.reaches(lasts('suspect'));
      expect(alone.reasons.join('; ')).toMatch(/dr sees it down .*2 must agree.*witness reaches nothing/s);
      scene.sees.set('primary', 'silent');
      await scene.reaches(({ reasons }) => reasons.includes('the observer primary is silent'));
      scene.sees.set('witness', DEAD);
      const failed = await scene.reaches(({ acted }) => acted !== undefined);
      expect(failed).toMatchObject({ state: 'failed', serving: 'primary', acted: { what: 'notify' } });
      await scene.reaches(() => scene.told.some(({ event }) => event === 'site-failed'));
      for (const observer of ['primary', 'dr', 'witness']) scene.sees.set(observer, {});
      await scene.reaches(is('healthy'));
      await scene.reaches(() => scene.told.at(-1)?.event === 'site-healthy');
      expect(scene.told.filter(({ event }) => event === 'site-failed')).toHaveLength(1);
      await noRun(scene);
    });
  });

  test('a cut between primary and dr, with clients served, starts nothing', async () => {
    const settings = { observers: ['primary', 'dr'], onFailure: 'start' } as const;
    await stage.play({ settings }, async (scene) => {
      // dr reaches nothing of primary; the clients' address it does reach.
      scene.sees.set('dr', { ...DEAD, outside: 'up' });
      await scene.reaches(({ observers }) => observers.every(({ sees }) => sees === 'up'));
      // Nor does it reach the clients' address, which lies on the other side.
      scene.sees.set('dr', DEAD);
      await scene.reaches(lasts('suspect'));
      // And primary's observer cannot be heard.
      scene.sees.set('primary', 'silent');
      const summary = await scene.reaches(({ observers }) => observers.some(({ sees }) => sees === 'silent'));
      await scene.reaches((now) => lasts('suspect')(now) && Date.now() - Date.parse(summary.since) > 4_000);
      await noRun(scene);
    });
  });
});

describe.concurrent('one dead component', () => {
  test('is started again as it is, so often an hour, and only then is its site given up', async () => {
    let heals = 0;
    const steps = (scene: Scene) => ({
      'start-redis': () => {
        heals += 1;
        for (const observer of scene.sees.keys()) scene.sees.set(observer, {});
        return Promise.resolve({ summary: 'started' });
      },
    });
    const settings = { heal: { perHour: 1, afterMs: 200 } };
    const killRedis = ({ sees }: Scene): void => {
      const ailing = { outside: 'down', gateway: 'ailing', redis: 'down' } as const;
      for (const observer of sees.keys()) sees.set(observer, { ...ailing, own: observer === 'primary' });
    };
    await stage.play({ settings, steps }, async (scene) => {
      await scene.reaches(is('healthy'));
      killRedis(scene);
      const cured = await scene.reaches((now) => now.heals[0]?.curedAt !== undefined);
      expect(cured.heals).toMatchObject([{ component: 'redis', names: ['redis'] }]);
      const record = (await scene.run().result()) as RunRecord;
      expect(record).toMatchObject({ run: cured.heals[0]!.run, component: 'redis', actor: 'monitor' });
      expect(record.steps.find(({ id }) => id === 'restore-redis-data')!.state).toBe('not-part');
      expect(clockPoint(record.clock, 'detected')).toBeDefined();
      await scene.reaches((now) => is('healthy')(now) && now.held === undefined);
      killRedis(scene);
      const failed = await scene.reaches(({ acted }) => acted !== undefined);
      expect(failed).toMatchObject({ state: 'failed', acted: { what: 'notify' } });
      expect(heals).toBe(1);
    });
  });
});

describe.concurrent('a failed site', () => {
  /** The recovery that takes over makes dr serve, and fences the primary. */
  const takesOver = (scene: Scene) => ({
    'fence-source': (): Promise<StepResult> => {
      scene.fenced.add('primary');
      return Promise.resolve({ summary: 'fenced' });
    },
    'switch-traffic': (): Promise<StepResult> => {
      scene.live = 'dr';
      for (const observer of scene.sees.keys()) scene.sees.set(observer, {});
      return Promise.resolve({ summary: 'switched' });
    },
  });

  test('is left by a start where all is known to be good, once a day; then it is proposed', async () => {
    const options = { settings: { onFailure: 'start' }, steps: takesOver } as const;
    await stage.play(options, async (scene) => {
      await scene.reaches(is('healthy'));
      killPrimary(scene);
      const moved = await scene.reaches(({ serving }) => serving === 'dr');
      expect(moved.starts).toHaveLength(1);
      const record = (await scene.run().result()) as RunRecord;
      expect(record).toMatchObject({ outcome: 'RECOVERED', from: 'primary', to: 'dr', actor: 'monitor' });
      const [occurred, detected] = (['occurred', 'detected'] as const).map((name) =>
        Date.parse(clockPoint(record.clock, name)!.at),
      );
      expect(detected! - occurred!).toBeGreaterThanOrEqual(FAIL_AFTER_MS);
      await scene.reaches(is('healthy'));
      for (const observer of scene.sees.keys()) scene.sees.set(observer, { ...DEAD, own: observer === 'dr' });
      const second = await scene.reaches(({ acted }) => acted !== undefined);
      expect(second.acted).toMatchObject({ what: 'propose' });
      expect(second.acted!.why).toMatch(/1 of 1 automatic starts/);
      expect((await scene.inputOfRun()).plan).toMatchObject({ from: 'dr', to: 'primary' });
    });
  });

  test('is proposed: nothing is touched until somebody else than the monitor has approved', async () => {
    const options = { settings: { onFailure: 'propose' }, steps: takesOver } as const;
    await stage.play(options, async (scene) => {
      await scene.reaches(is('healthy'));
      killPrimary(scene);
      const proposed = await scene.reaches(({ acted }) => acted !== undefined);
      expect(proposed.acted).toMatchObject({ what: 'propose' });
      const waits = await scene.runReaches(({ steps }) => steps.some((row) => row.needsApproval));
      expect(waits.steps.filter(({ state }) => state === 'done').map(({ id }) => id)).toEqual([
        ...['check-backup', 'check-target'],
      ]);
      expect(scene.fenced.size).toBe(0);
      const approval = { ...by, step: 'fence-source' };
      const own = await refused(send(scene.run(), 'approve', { ...approval, actor: 'monitor' }));
      expect(own.code).toBe('APPROVAL_REFUSED');
      await send(scene.run(), 'approve', approval);
      await scene.reaches(({ serving }) => serving === 'dr');
      expect(((await scene.run().result()) as RunRecord).outcome).toBe('RECOVERED');
    });
  });

  test.each<[string, SceneOptions, (scene: Scene) => void, RegExp]>([
    [
      'nobody can measure what would be lost',
      {},
      (scene) => {
        scene.exposureMs = undefined;
      },
      /how far redis is behind is not known/,
    ],
    [
      'more would be lost than the RPO allows',
      { settings: { rpoMs: 500 } },
      () => undefined,
      /redis is .* behind, more than the RPO/,
    ],
    [
      'it replicates, and no worker tells how far it is behind',
      { shape: { strategy: 'warm-standby' } },
      () => undefined,
      /is not known: .*replication-standing/,
    ],
  ])('is not left by itself where %s', async (_what, { settings, shape }, prepare, why) => {
    const options = { settings: { onFailure: 'start', ...settings }, ...(shape && { shape }) } as const;
    await stage.play(options, async (scene) => {
      prepare(scene);
      killPrimary(scene);
      const { acted, starts } = await scene.reaches((now) => now.acted !== undefined);
      expect(acted).toMatchObject({ what: 'propose' });
      expect(acted!.why).toMatch(why);
      expect(starts).toEqual([]);
      expect((await scene.inputOfRun()).plan.approvals).toMatchObject([{ step: 'fence-source' }]);
    });
  });
});

describe.concurrent('nothing is decided', () => {
  test('while a run holds the lock, nor during a pause; then it is', async () => {
    await stage.play({}, async (scene) => {
      const { client } = environment;
      await scene.reaches(is('healthy'));
      await client.workflow.start('ping', {
        ...{ workflowId: scene.run().workflowId, taskQueue: 'nobody', args: ['x', 'acme'] },
      });
      await scene.reaches(({ held }) => held === 'ping');
      killPrimary(scene);
      await scene.reaches(lasts('suspect'));
      expect(await send(scene.handle, 'pause', { ...by, forMs: 60_000 })).toMatch(/^paused until/);
      await scene.run().terminate();
      await scene.reaches(({ held }) => held === undefined);
      await scene.reaches((now) => lasts('suspect')(now) && now.paused?.actor === 'ann');
      await send(scene.handle, 'resume', by);
      await scene.reaches(is('failed'));
    });
  });

  test('by whoever does not say who and why, or pauses for ever', async () => {
    await stage.play({}, async (scene) => {
      await scene.reaches(is('healthy'));
      for (const args of [{ actor: 'ann', forMs: 1 }, by, { ...by, forMs: 9e9 }])
        expect((await refused(send(scene.handle, 'pause', args))).code).toBe('BAD_ARGUMENT');
      expect(await send(scene.handle, 'stop', by)).toMatch(/^stopped/);
      expect(await scene.handle.result()).toEqual({ serving: 'primary', heals: [], starts: [] });
    });
  });
});
