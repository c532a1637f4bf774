import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LookItem } from '../../domain/live-look.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord, StepResult } from '../../domain/run.ts';
import { DRILL_STEPS } from '../../runbooks/drill.ts';
import { drillInput, fails, fakes, LOOKS, untilCancelled, type Fakes } from '../harness/recover-input.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';
import { awaitState, send, toldRun, type ToldRun } from '../harness/told-run.ts';

/** The story of a drill, on a real Temporal server, told by activities that answer as they are told. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const told = (input: RecoverInput, overrides: Fakes = {}): Promise<ToldRun> =>
  toldRun(environment, input, overrides);

/** What takes everything back, in this order, whatever came before; the mark goes last. */
const END = ['stop-target', 'tidy-target', 'find-leaks', 'unmark-target', 'compare-live', 'write-record'];
const endOf = ({ calls }: ToldRun): string[] => calls.filter((id) => END.includes(id));
const undone = ({ calls }: ToldRun): string[] => calls.filter((id) => id.startsWith('undo '));

const WATCHES = ['watch-live', 'audit-isolation', 'list-made'];

/** Each planned step has ended before those that need it, by the record's own times. */
function expectOrder(record: RunRecord): void {
  const rows = new Map(record.steps.map((row) => [row.id, row]));
  for (const { id, after } of DRILL_STEPS)
    for (const before of after) {
      const [row, earlier] = [rows.get(id)!, rows.get(before)!];
      if (row.state === 'not-part' || earlier.state === 'not-part') continue;
      expect(earlier.endedAt! <= row.startedAt!, `${id} after ${before}`).toBe(true);
    }
}

describe('a drill', () => {
  test('visits exactly the declared steps, is torn down, and holds the live site against itself', async () => {
    const input = drillInput();
    const run = await told(input);
    const { record, calls } = run;
    expect(record.outcome, record.exceptions.join()).toBe('RECOVERED');
    const besides = [...WATCHES, ...END.filter((id) => !input.plan.steps.includes(id))];
    expect(new Set(calls.filter((id) => !besides.includes(id) && !id.startsWith('undo ')))).toEqual(
      new Set(input.plan.steps),
    );
    expect(record.steps.filter(({ state }) => state === 'done').map(({ id }) => id)).toEqual(
      input.plan.steps,
    );
    expectOrder(record);
    expect(endOf(run)).toEqual(END);
    // Once each, and what stands on others before them.
    const placed = DRILL_STEPS.filter(({ id, undo }) => undo && input.plan.steps.includes(id));
    expect(undone(run).sort()).toEqual(placed.map(({ id }) => `undo ${id}`).sort());
    expect(calls.indexOf('undo restore-dashboard-config')).toBeLessThan(
      calls.indexOf('undo restore-redis-data'),
    );
    expect(record.drill).toMatchObject({
      untouched: { verdict: 'pass' },
      leaks: { verdict: 'pass', made: 2, left: [] },
    });
    // Watched from its first steps on: which of two queues is served first nobody says.
    expect(calls.indexOf('watch-live')).toBeLessThan(calls.indexOf('prove-redis'));
  });

  test.each(['redis', 'dashboard'] as const)(
    'of the component %s does no more than its plan',
    async (component) => {
      const input = drillInput({ type: 'component', component });
      const run = await told(input);
      expect(run.record.steps.filter(({ state }) => state === 'done').map(({ id }) => id)).toEqual(
        input.plan.steps,
      );
      expect(endOf(run)).toEqual(END);
      const verified = run.record.clock.map(({ name }) => name);
      expect(verified).toContain('component verified');
      expect(verified).not.toContain('traffic verified');
    },
  );

  test.each(['human-error', 'network'] as const)(
    'that simulates %s breaks a copy, is told by whom that was noticed, and recovers',
    async (scenario) => {
      let looks = 0;
      const input = drillInput({ type: 'simulation', scenario });
      const run = await told(input, {
        // Whole while the copy is built and at first; then broken, then recovered.
        'prove-apis': ({ inUse }) =>
          inUse === true && ++looks > 1 ? fails('PROOF_FAILED')() : Promise.resolve({ summary: 'served' }),
      });
      const { record, calls } = run;
      expect(record.outcome, record.exceptions.join()).toMatch(/^RECOVERED/);
      expect(calls.filter((id) => id === 'inject-disaster')).toHaveLength(1);
      expect(record.clock.map(({ name }) => name).slice(0, 4)).toEqual([
        ...['occurred', 'detected', 'declared', 'started'],
      ]);
      expect(record.clock[1]!.source).toContain('prove-apis');
      expect(record.drill!.copyBuiltMs).toBeGreaterThan(0);
      // The copy is stopped before the recovery begins, and both are taken back at the end.
      expect(calls.filter((id) => id === 'stop-target')).toHaveLength(3);
      expect(endOf(run).slice(-4)).toEqual(END.slice(-4));
    },
  );
});

describe('whatever fails, all is taken back', () => {
  const KINDS = ['claim-target', 'start-redis', 'prove-apis'];
  test.each(KINDS)('%s', async (id) => {
    const run = await told(drillInput(), { [id]: fails('PROOF_FAILED') });
    expect(run.failedAs).toBe('FAILED_UNDONE');
    expect(run.record.error).toMatchObject({ code: 'PROOF_FAILED' });
    expect(endOf(run)).toEqual(END);
    expect(run.record.drill).toMatchObject({ untouched: { verdict: 'pass' }, leaks: { verdict: 'pass' } });
    // Only what had begun.
    expect(undone(run).includes('undo restore-redis-data')).toBe(id !== 'claim-target');
  });

  test('but where nothing was touched yet, there is nothing to take back', async () => {
    const run = await told(drillInput(), { 'check-target': fails('PORT_TAKEN') });
    expect(run.failedAs).toBe('REFUSED');
    // But the record: that a drill was refused is what it was to find out.
    expect(run.calls).toEqual(['observe-live', 'check-backup', 'check-target', 'write-record']);
  });

  test('trouble of the live site ends it, in the middle of a step', async () => {
    const run = await told(drillInput(), {
      'start-redis': untilCancelled,
      'watch-live': fails('DRILL_HALTED'),
    });
    expect(run.failedAs).toBe('ABORTED');
    expect(run.record.decisions).toMatchObject([{ kind: 'abort', actor: 'watch-live' }]);
    expect(endOf(run)).toEqual(END);
  });

  test('a way out of the isolation ends it as a failure', async () => {
    const run = await told(drillInput(), {
      'start-gateways': untilCancelled,
      'audit-isolation': fails('DRILL_LEAVES_ISOLATION'),
    });
    expect(run.failedAs).toBe('FAILED_UNDONE');
    expect(run.record.error!.message).toContain('DRILL_LEAVES_ISOLATION');
    expect(endOf(run)).toEqual(END);
  });

  test('a drill that takes longer than its limit is torn down', async () => {
    const run = await told(drillInput({}, { drill: { site: 'dr', limitMs: 500 } }), {
      'start-redis': untilCancelled,
    });
    expect(run.failedAs).toBe('ABORTED');
    expect(run.record.error!.message).toContain('longer than its limit');
    expect(endOf(run)).toEqual(END);
  });

  test('a person who aborts it is obeyed', async () => {
    const run = await toldRun(
      environment,
      drillInput(),
      { 'start-redis': untilCancelled },
      async (handle) => {
        await awaitState(handle, ({ steps }) =>
          steps.some(({ id, state }) => id === 'start-redis' && state === 'running'),
        );
        await send(handle, 'abort', { actor: 'ann', reason: 'not now' });
      },
    );
    expect(run.failedAs).toBe('ABORTED');
    expect(endOf(run)).toEqual(END);
  });

  test('what cannot be taken back is stuck, keeps its mark, and says so', async () => {
    const run = await told(drillInput(), { 'undo-switch': fails('TARGET_IS_ANOTHER') });
    expect(run.failedAs).toBe('STUCK');
    expect(run.record.exceptions.join()).toContain('the effect of restore-redis-data was not taken back');
    expect(run.calls).not.toContain('unmark-target');
    expect(run.calls).toContain('compare-live');
  });
});

describe('no drill is plainly green', () => {
  const looked = (looks: readonly LookItem[]) => () =>
    Promise.resolve({ summary: 'seen', looks } as StepResult);

  test('that leaves something behind', async () => {
    const left = ['/srv/dr/redis.tyk-dr-new is left behind'];
    const { record } = await told(drillInput(), {
      'find-leaks': () => Promise.resolve({ summary: 'left', left } as StepResult),
    });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions.join()).toContain(left[0]);
    expect(record.drill!.leaks).toMatchObject({ verdict: 'fail', left });
  });

  test('after which the live site is another one', async () => {
    const { record } = await told(drillInput(), {
      'compare-live': looked([{ ...LOOKS[0]!, value: 'dcba' }]),
    });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.error).toMatchObject({ code: 'LIVE_CHANGED' });
    expect(record.error!.message).toContain('gw1: configuration: abcd, then dcba');
    expect(record.drill!.untouched!.verdict).toBe('fail');
  });

  test('whose live site nobody could see at the end', async () => {
    const { record } = await told(drillInput(), { 'compare-live': fails('BUG') });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions.join()).toContain('not shown to be untouched: gw1: configuration');
    expect(record.drill!.untouched!.verdict).toBe('not-measured');
  });
});

test('without a worker of the live site there is no drill: nobody could watch it', async () => {
  const input = drillInput();
  const { activities, calls } = fakes();
  const failure: unknown = await withWorkers(environment, { dr: activities }, async () => {
    const handle = await environment.client.workflow.start('drill', {
      ...{ workflowId: `run/${input.run}`, taskQueue: WORKFLOW_QUEUE, args: [input] },
    });
    return handle.result().then(
      () => undefined,
      (error: unknown) => error,
    );
  });
  expect(failure).toMatchObject({ cause: { type: 'REFUSED' } });
  expect(calls).toEqual(['write-record']);
});
