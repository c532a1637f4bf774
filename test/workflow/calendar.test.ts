import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createDrillCalendarActivities } from '../../activities/drill-calendar.ts';
import type { Deps } from '../../activities/guard.ts';
import { createPaperActivities } from '../../activities/papers.ts';
import { appendEvent, readJournal } from '../../adapters/backup/journal.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import type { Door } from '../../cli/client.ts';
import { putInForce, standingOf } from '../../cli/drill-standing.ts';
import { applySchedules } from '../../cli/schedule-changes.ts';
import { nextOccurrence } from '../../domain/calendar.ts';
import type { Config } from '../../domain/config.ts';
import { parseCron, type Cron } from '../../domain/cron.ts';
import type { Notice } from '../../domain/notice.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import { scheduleId } from '../../domain/schedules.ts';
import { renderPapers } from '../../worker/render-papers.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** The calendar of drills on a real Temporal server, with the real repository: what it starts, defers, skips and writes. */

let environment: TestWorkflowEnvironment;
let dir: string;
let base: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-calendar-'));
  const { configFile } = await writeDeployment(dir, { redis: { port: 11, dataDir: join(dir, 'redis') } });
  base = await readFile(configFile, 'utf8');
  await mkdir(join(dir, 'sets'));
  environment = await startTemporal();
}, 60_000);
afterAll(async () => {
  await environment.teardown();
  await rm(dir, { recursive: true, force: true });
});

const CALENDAR = {
  timezone: 'Europe/Paris',
  component: { cron: '30 2 * * sun' },
  review: { cron: '0 8 5 1,4,7,10 *' },
  tabletop: { cron: '0 9 1 2 *' },
};

function configWith(schedules: object): Config {
  const config = parse(base) as { deployments: { acme: object } };
  Object.assign(config.deployments.acme, {
    drill: { site: 'dr', schedules },
    roles: { commander: { people: ['ann'], practised: 1 } },
  });
  return parseConfig(stringify(config), 'tyk-dr.yaml');
}
const doorOf = (schedules: object): Door =>
  ({ client: environment.client, config: configWith(schedules) }) as unknown as Door;
const journal = async () => (await readJournal({ repository: join(dir, 'sets') }, 'acme')).entries;

describe('schedule apply', () => {
  test('brings the calendar to Temporal, which means the same times by it as we do', async () => {
    const changes = await applySchedules(doorOf(CALENDAR), 'acme', false);
    expect(changes.map(({ kind, action }) => `${action} ${kind}`)).toEqual([
      ...['create drill-component', 'create drill-tabletop', 'create review'],
    ]);
    const { info, policies, action } = await environment.client.schedule
      .getHandle(scheduleId('acme', 'drill-component'))
      .describe();
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 600_000 });
    expect(JSON.stringify(action)).not.toMatch(/file:|env:|127\.0\.0\.1/);
    const cron = parseCron(CALENDAR.component.cron) as Cron;
    let at = Date.now();
    for (const theirs of info.nextActionTimes) {
      at = nextOccurrence(cron, CALENDAR.timezone, at)!;
      expect(new Date(at).toISOString()).toBe(theirs.toISOString());
    }
  });

  test.each([
    ['Europe/Paris', '30 2 * 3 sun'],
    ['Europe/Paris', '30 2 * 10 sun'],
    ['America/New_York', '30 1 * 11 sun'],
    ['America/New_York', '30 2 * 3 sun'],
    ['Australia/Lord_Howe', '45 1 * 4 sun'],
  ])('means the same in %s where clocks are changed: %s', async (timezone, text) => {
    const id = `dst ${timezone} ${text}`;
    const handle = await environment.client.schedule.create({
      ...{ scheduleId: id, state: { paused: true } },
      spec: { cronExpressions: [text], timezone },
      action: { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' },
    });
    const { nextActionTimes } = (await handle.describe()).info;
    await handle.delete();
    let at = Date.now();
    const ours = nextActionTimes.map(() => (at = nextOccurrence(parseCron(text) as Cron, timezone, at)!));
    expect(nextActionTimes.length).toBeGreaterThan(4);
    expect(ours).toEqual(nextActionTimes.map((time) => time.getTime()));
  });

  test('what is due counts from the day of the first apply; a second one of the same changes nothing', async () => {
    await putInForce(doorOf(CALENDAR), 'acme');
    await putInForce(doorOf(CALENDAR), 'acme');
    expect((await journal()).filter(({ kind }) => kind === 'calendar')).toHaveLength(1);
  });
});

describe('what the calendar starts', () => {
  const told: Notice[] = [];
  const activitiesOf = (schedules: object) => {
    const { deployments } = configWith(schedules);
    const deps = {
      deployment: () => deployments['acme']!,
      digest: () => 'c'.repeat(64),
    } as unknown as Deps;
    return {
      ...createDrillCalendarActivities(deps),
      ...createPaperActivities(deps, renderPapers('test')),
      'route-notice': () => Promise.resolve({ targets: [{ channel: 'chat' }], people: [] }),
      'tell-channel': (notice: Notice) => {
        told.push(notice);
        return Promise.resolve();
      },
    };
  };

  const secondNow = () => Math.floor(Date.now() / 1000);
  let lastSecond = 0;

  /** Lets a schedule run now. @returns the workflow that it has started */
  async function trigger(kind: 'drill-component' | 'drill-tabletop' | 'review') {
    // A drill goes by the second at which it is due: two of one second would be one, with one word about both.
    await expect.poll(secondNow, { interval: 20, timeout: 5_000 }).toBeGreaterThan(lastSecond);
    const handle = environment.client.schedule.getHandle(scheduleId('acme', kind));
    const { numActionsTaken } = (await handle.describe()).info;
    await handle.trigger('SKIP');
    lastSecond = secondNow();
    await expect
      .poll(async () => (await handle.describe()).info.numActionsTaken, { timeout: 20_000 })
      .toBe(numActionsTaken + 1);
    const { workflow } = (await handle.describe()).info.recentActions.at(-1)!.action as {
      workflow: { workflowId: string };
    };
    return environment.client.workflow.getHandle(workflow.workflowId);
  }
  const lock = () => environment.client.workflow.getHandle('run/acme');
  const withCalendar = (schedules: object, work: () => Promise<void>) =>
    withWorkers(environment, { primary: activitiesOf(schedules) }, work);

  test('a drill under the one id of the deployment, with the component that was not rehearsed longest', async () => {
    await withCalendar(CALENDAR, async () => {
      const launched = await trigger('drill-component');
      await expect
        .poll(
          () =>
            lock()
              .describe()
              .then(
                ({ type }) => type,
                () => 'none',
              ),
          { timeout: 20_000 },
        )
        .toBe('drill');
      const { events = [] } = await lock().fetchHistory();
      const data = events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads![0]!.data!;
      const input = JSON.parse(Buffer.from(data).toString()) as RecoverInput;
      expect(input.plan.drill).toMatchObject({
        ...{ type: 'component', component: 'redis', scheduled: { schedule: 'component' } },
        participants: [{ role: 'commander', person: 'ann' }],
      });
      expect(input.planDigest).toMatch(/^[0-9a-f]{64}$/);
      expect((await lock().describe()).priority).toMatchObject({ priorityKey: 1 });
      await lock().terminate();
      await launched.result();
    });
  }, 60_000);

  test('no drill while a recovery runs: it is skipped, with the reason in the journal', async () => {
    await environment.client.workflow.start('ping', {
      ...{ workflowId: 'run/acme', taskQueue: 'nobody', args: ['x', 'acme'] },
    });
    told.length = 0;
    await withCalendar(CALENDAR, async () => {
      expect(await (await trigger('drill-component')).result()).toMatchObject({
        outcome: expect.stringMatching(/^skipped: run\/acme is held/) as string,
      });
      await lock().terminate();
    });
    expect((await journal()).at(-1)).toMatchObject({
      ...{ kind: 'drill-skipped', drill: 'component', actor: 'schedule' },
    });
    expect(told).toMatchObject([{ event: 'drill-not-made' }]);
  }, 60_000);

  /** It is dark until midnight, on whatever day this test runs. */
  function darkToday(cron: string) {
    const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
    const [today, yesterday] = [0, 6].map((back) => days[(new Date().getUTCDay() + back) % 7]!);
    const blackouts = [{ weekly: [today, yesterday], reason: 'month end' }];
    return { ...CALENDAR, component: { cron }, timezone: 'UTC', blackouts };
  }
  const deferred = {
    ...{ kind: 'drill-deferred', drill: 'component', reason: 'blackout: month end', actor: 'schedule' },
  };

  test('in a blackout it is deferred, with the reason, and waits', async () => {
    await withCalendar(darkToday('30 2 * * sun'), async () => {
      const launched = await trigger('drill-component');
      await expect
        .poll(async () => (await journal()).at(-1)?.kind, { timeout: 20_000 })
        .toBe('drill-deferred');
      expect((await journal()).at(-1)).toMatchObject(deferred);
      expect((await launched.describe()).status.name).toBe('RUNNING');
      await launched.terminate();
    });
  }, 60_000);

  test('in a blackout that outlasts the next of its kind it is left to that one', async () => {
    await withCalendar(darkToday('* * * * *'), async () => {
      expect(await (await trigger('drill-component')).result()).toMatchObject({
        outcome: 'not made: blackout: month end; the next one is due before',
      });
    });
    expect((await journal()).at(-1)).toMatchObject(deferred);
  }, 60_000);

  test('what a person has skipped is not made', async () => {
    await withCalendar(CALENDAR, async () => {
      const dueAt = '2026-11-29T01:30:00.000Z';
      await appendEvent({ repository: join(dir, 'sets') }, 'acme', {
        ...{ kind: 'drill-skipped', drill: 'component', dueAt, reason: 'moving house' },
        ...{ actor: 'ann', at: new Date().toISOString() },
      });
      const prepare = activitiesOf(CALENDAR)['prepare-drill'];
      expect(await prepare({ deployment: 'acme', drill: 'component', dueAt })).toEqual({
        ...{ then: 'leave', reason: 'moving house (skipped by ann)' },
      });
    });
  });

  test('the review of the quarter is written and people are told to sign it; a tabletop only needs people', async () => {
    told.length = 0;
    await withCalendar(CALENDAR, async () => {
      const paper = (await (await trigger('review')).result()) as { files: string[]; quarter: string };
      expect(paper.files).toHaveLength(2);
      expect(await readFile(paper.files[1]!, 'utf8')).toContain(paper.quarter);
      await (await trigger('drill-tabletop')).result();
    });
    expect(told.map(({ event, title }) => `${event} ${title}`)).toEqual([
      'drill-due tyk-dr: the review of acme is due',
      'drill-due tyk-dr: the tabletop of acme is due',
    ]);
    expect(told[0]!.lines.join(' ')).toContain('tyk-dr review sign acme --quarter');
  }, 60_000);

  test('whoever cannot reach the repository asks a worker how drills stand', async () => {
    await withCalendar(CALENDAR, async () => {
      const text = stringify(configWith(CALENDAR)).replaceAll(join(dir, 'sets'), join(dir, 'elsewhere'));
      const door = { ...doorOf(CALENDAR), config: parse(text) as Config };
      const { inForce, training } = await standingOf(door, 'acme');
      expect(inForce).toBe(true);
      expect(training).toMatchObject([{ role: 'commander', practised: 0, needed: 1 }]);
    });
  }, 60_000);
});
