import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { findSchedules } from '../../adapters/temporal/schedules.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { applySchedules } from '../../cli/schedule-changes.ts';
import type { Config } from '../../domain/config.ts';
import type { Notice } from '../../domain/notice.ts';
import { scheduleId } from '../../domain/schedules.ts';
import type { HostFigures, Prints } from '../../domain/figures.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { call } from '../../adapters/tyk/http.ts';
import { serveMetrics } from '../../worker/metrics.ts';
import { wire } from '../../worker/wire.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** Schedules on a real Temporal server: what `schedule apply` makes of a configuration, and what they start. */

let environment: TestWorkflowEnvironment;
let dir: string;
let base: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  const { configFile } = await writeDeployment(dir, { redis: { port: 11, dataDir: join(dir, 'redis') } });
  base = await readFile(configFile, 'utf8');
  environment = await startTemporal();
}, 60_000);
afterAll(async () => {
  await environment.teardown();
  await rm(dir, { recursive: true, force: true });
});

const REPLICATES = { deployment: 'acme', maxLagMs: 1, stores: ['redis' as const] };

const SCHEDULES = {
  timezone: 'Europe/Paris',
  full: { cron: '0 3 * * *', catchUp: '30m' },
  incremental: { every: '2m', jitter: '10s', verify: false },
  retention: { cron: '30 4 * * sun' },
};

function configWith(schedules: object | undefined): Config {
  const config = parse(base) as { deployments: { acme: { backup: Record<string, unknown> } } };
  Object.assign(config.deployments.acme.backup, { keep: { last: 3 }, ...(schedules ? { schedules } : {}) });
  return parseConfig(stringify(config), 'tyk-dr.yaml');
}

async function apply(schedules: object | undefined, dryRun = false): Promise<string[]> {
  const door = { client: environment.client, config: configWith(schedules) };
  const changes = await applySchedules(door, 'acme', dryRun);
  return changes.map(({ kind, action, differences }) => `${action} ${kind}: ${differences.join('; ')}`);
}

const kinds = async (): Promise<string[]> =>
  (await findSchedules(environment.client, 'acme')).map(({ kind }) => kind);

describe('schedule apply', () => {
  test('a dry run says what it would do, and does none of it', async () => {
    expect(await apply(SCHEDULES, true)).toEqual([
      'create full: cron 0 3 * * *',
      'create incremental: every 2 min 00 s',
      'create retention: cron 30 4 * * sun',
      'create watch: every 5 min 00 s',
    ]);
    expect(await kinds()).toEqual([]);
  });

  test('makes what is declared; a second time nothing differs', async () => {
    await apply(SCHEDULES);
    expect(await kinds()).toEqual(['full', 'incremental', 'retention', 'watch']);
    expect(await apply(SCHEDULES)).toEqual([
      'keep full: ',
      'keep incremental: ',
      'keep retention: ',
      'keep watch: ',
    ]);
    const { spec, policies, action } = await environment.client.schedule
      .getHandle(scheduleId('acme', 'full'))
      .describe();
    expect(spec.timezone).toBe('Europe/Paris');
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 1_800_000 });
    // What lies open in Temporal names workers, and says nothing of how to reach anything.
    expect(JSON.stringify(action)).not.toMatch(/file:|env:|127\.0\.0\.1/);
  });

  test('changes only what differs, and leaves one that somebody has paused as it is', async () => {
    const handle = environment.client.schedule.getHandle(scheduleId('acme', 'incremental'));
    await handle.pause('the disk is being replaced');
    const changed = { ...SCHEDULES, incremental: { ...SCHEDULES.incremental, every: '3m', jitter: '0s' } };
    expect(await apply(changed)).toEqual([
      'keep full: ',
      'change incremental: when: every 2 min 00 s -> every 3 min 00 s; jitter: 10.0 s -> 0 ms',
      'keep retention: ',
      'keep watch: ',
    ]);
    const { state, spec } = await handle.describe();
    expect(state).toMatchObject({ paused: true, note: 'the disk is being replaced' });
    expect(spec.intervals?.[0]?.every).toBe(180_000);
  });

  test('finds what was changed by hand, and puts it back', async () => {
    const handle = environment.client.schedule.getHandle(scheduleId('acme', 'full'));
    await handle.update(({ action, policies, state }) => ({
      ...{ policies, state },
      action: { ...action, args: [{ deployment: 'other' }] },
      spec: { cronExpressions: ['0 5 * * *'], timezone: 'UTC' },
    }));
    const [full] = await apply(SCHEDULES);
    expect(full).toBe(
      'change full: when: cron changed by hand -> cron 0 3 * * *; time zone: UTC -> Europe/Paris; what it starts',
    );
    expect((await apply(SCHEDULES))[0]).toBe('keep full: ');
  });

  test('removes what is gone, and no schedule of anybody else', async () => {
    const foreign = 'tyk-dr/acme/verify';
    await environment.client.schedule.create({
      scheduleId: foreign,
      spec: { intervals: [{ every: '1h' }] },
      action: { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' },
    });
    await expect(apply(SCHEDULES)).rejects.toThrow(/tyk-dr\/acme\/verify was not made by tyk-dr/);
    await environment.client.schedule.getHandle(foreign).delete();
    const { full, timezone } = SCHEDULES;
    expect(await apply({ timezone, full, incremental: SCHEDULES.incremental })).toContain(
      'remove retention: cron 30 4 * * sun',
    );
    expect(await kinds()).toEqual(['full', 'incremental', 'watch']);
    await apply(undefined);
    expect(await kinds()).toEqual([]);
  });
});

describe('what a schedule starts', () => {
  const part = { summary: 'done', objects: [] };
  const told: Notice[] = [];
  const calls: string[] = [];
  let figures: Partial<HostFigures> = {};
  let failing = false;
  const activities = {
    'answer-ping': () => Promise.resolve({ worker: 'w', digest: 'c'.repeat(64), version: '1', now: '' }),
    'find-live-site': ({ site }: { site: string }) =>
      Promise.resolve({ summary: '', live: site === 'primary' }),
    'back-up-redis': ({ configDigest, full }: { configDigest: string; full: boolean }) => {
      calls.push(`${configDigest.slice(0, 3)} full ${full}`);
      return failing ? Promise.reject(new Error('the disk is full')) : Promise.resolve(part);
    },
    'back-up-config': () => Promise.resolve(part),
    'back-up-database': () => Promise.resolve(part),
    'seal-set': () => Promise.resolve({ summary: 'sealed' }),
    'verify-set': () => Promise.resolve({ summary: 'verified' }),
    'measure-host': (_deployment: string, site: string, nonce?: string) =>
      Promise.resolve({
        ...{ site, worker: site, measuredAt: new Date().toISOString(), points: [], problems: [] },
        ...{ live: site === 'primary', serves: ['redis'], sets: [] },
        ...figures,
        ...(follows && site === 'dr' ? { replication: { ...REPLICATES, follows: 'primary' } } : {}),
        ...(nonce === undefined ? {} : { prints: printsOf(site) }),
      }),
    'route-notice': () => Promise.resolve({ targets: [{ channel: 'chat' }], people: [] }),
    'tell-channel': (notice: Notice) => {
      told.push(notice);
      return Promise.resolve();
    },
  };

  let follows = false;
  /** Two fields of the Gateway, and the same but for one of them and one that is missing. */
  const printsOf = (site: string): Prints => ({
    versions: [],
    recipient: 'age1x',
    trees: ['gateway gw1', 'pump'].map((name) => ({
      ...{ name, kind: name === 'pump' ? 'pump' : 'gateway', certificates: [] },
      parts: [
        { name: 'conf: a', digest: 'same' },
        { name: 'conf: b', digest: site },
      ],
    })),
  });

  async function metrics(): Promise<string> {
    const listen = `127.0.0.1:${await freePort()}`;
    const config = configWith(SCHEDULES);
    const server = await serveMetrics(config, wire(config, 'dr', 'test').deps, listen, environment.client);
    try {
      return (await call(`http://${listen}/metrics`)).body;
    } finally {
      server.close();
    }
  }

  /** Lets a schedule run now, and waits for what it started. */
  async function trigger(kind: 'full' | 'watch'): Promise<'completed' | 'failed'> {
    const handle = environment.client.schedule.getHandle(scheduleId('acme', kind));
    const { numActionsTaken } = (await handle.describe()).info;
    await handle.trigger('SKIP');
    await expect
      .poll(async () => (await handle.describe()).info.numActionsTaken, { timeout: 20_000 })
      .toBe(numActionsTaken + 1);
    const { workflow } = (await handle.describe()).info.recentActions.at(-1)!.action as {
      workflow: { workflowId: string };
    };
    return environment.client.workflow
      .getHandle(workflow.workflowId)
      .result()
      .then(
        () => 'completed' as const,
        () => 'failed' as const,
      );
  }

  test('runs under the one id of the deployment, tells of a failure, and of staleness once', async () => {
    await apply(SCHEDULES);
    await withWorkers(environment, { primary: activities, dr: activities }, async () => {
      expect(await trigger('full')).toBe('completed');
      expect(calls).toEqual(['ccc full true']);
      const { status, memo } = await environment.client.workflow.getHandle('backup/acme').describe();
      expect(status.name).toBe('COMPLETED');
      expect(memo?.['run']).toMatch(/^bak-\d{8}-\d{6}-[0-9a-f]{4}$/);
      expect(told).toEqual([]);

      failing = true;
      expect(await trigger('full')).toBe('failed');
      expect(told).toMatchObject([{ event: 'backup-failed', deployment: 'acme' }]);
      expect(told[0]!.lines.join('\n')).toContain('the disk is full');

      told.length = 0;
      for (let look = 0; look < 2; look += 1) expect(await trigger('watch')).toBe('completed');
      expect(told.map(({ event }) => event)).toEqual(['stale']);
      expect(told[0]!.lines).toEqual([
        expect.stringMatching(/^redis: exposure everything, RPO 5 min 00 s: out of/),
      ]);
      const at = new Date().toISOString();
      const stores = { redis: { pointAt: at, bytes: 1 } };
      figures = { sets: [{ set: 's', startedAt: at, createdAt: at, verifiedAt: at, stores }] };
      expect(await trigger('watch')).toBe('completed');
      expect(told.map(({ event }) => event)).toEqual(['stale', 'fresh-again']);

      // The stores are well; it is the standby that is not there.
      told.length = 0;
      figures = { ...figures, replication: REPLICATES };
      for (let look = 0; look < 2; look += 1) expect(await trigger('watch')).toBe('completed');
      expect(told).toMatchObject([
        { event: 'standby-behind', title: 'tyk-dr: no standby of acme follows as it should' },
      ]);
      expect(told[0]!.lines).toEqual([
        'primary: nobody follows primary. Make it follow: tyk-dr replicate acme --to dr.',
      ]);

      follows = true;
      expect(await trigger('watch')).toBe('completed');
      const scraped = await metrics();
      expect(scraped).toContain('tyk_dr_drift{deployment="acme",site="dr"} 2');
      const lookedAt = /^tyk_dr_watch_timestamp_seconds\{deployment="acme"\} (\d+)/m.exec(scraped)![1];
      expect(Date.now() / 1000 - Number(lookedAt)).toBeLessThan(60);
    });
    await apply(undefined);
  }, 60_000);
});
