import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { tableOf } from '../../runbooks/tables.ts';
import { failoverInput, fails, replicateInput, type Fakes } from '../harness/recover-input.ts';
import { startTemporal } from '../harness/temporal.ts';
import { toldRun, type ToldRun } from '../harness/told-run.ts';

/** The stories of a failover and of a site that is made to follow, on a real Temporal server. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const told = (input: RecoverInput, overrides: Fakes = {}): Promise<ToldRun> =>
  toldRun(environment, input, overrides);

const done = ({ steps }: RunRecord): string[] =>
  steps.filter(({ state }) => state === 'done').map(({ id }) => id);

/** Each planned step has ended before those that need it, by the record's own times. */
function expectOrder(input: RecoverInput, record: RunRecord): void {
  const rows = new Map(record.steps.map((row) => [row.id, row]));
  for (const { id, after } of tableOf(input.plan))
    for (const before of after) {
      const [row, earlier] = [rows.get(id)!, rows.get(before)!];
      if (row.state === 'not-part' || earlier.state === 'not-part') continue;
      expect(earlier.endedAt! <= row.startedAt!, `${id} after ${before}`).toBe(true);
    }
}

describe.each([
  ['a graceful failover', failoverInput(), 'RECOVERED'],
  ['a forced failover', failoverInput({ mode: 'forced' }), 'RECOVERED'],
  ['a graceful failover where both sites serve', failoverInput({}, { strategy: 'hot' }), 'RECOVERED'],
  ['a site that is made to follow', replicateInput(), 'REPLICATED'],
  ['one that serves beside it', replicateInput({}, { strategy: 'hot' }), 'REPLICATED'],
] as const)('%s', (_what, input, outcome) => {
  test('visits exactly the declared steps, in their order', async () => {
    const { record, calls } = await told(input);
    expect(record.outcome, record.exceptions.join()).toBe(outcome);
    expect(done(record)).toEqual(input.plan.steps);
    expect([...calls].sort()).toEqual([...input.plan.steps].sort());
    expectOrder(input, record);
  });
});

describe('before the source is fenced', () => {
  test('a standby that does not become level is given up, and the source is written to again', async () => {
    const { record, calls, failedAs } = await told(failoverInput(), {
      'await-level': fails('LEVEL_NOT_REACHED'),
    });
    expect(failedAs).toBe('FAILED_UNDONE');
    expect(calls).toContain('resume-writes');
    // Nothing of the standby was touched: it follows on.
    for (const id of ['fence-source', 'promote-redis', 'promote-database', 'stop-target'])
      expect(calls, id).not.toContain(id);
    expect(record.steps.find(({ id }) => id === 'stop-writes')!.summary).toMatch(/^undone/);
  });

  test('the same where a person would be asked: their clients do not wait for them', async () => {
    const { calls, failedAs } = await told(failoverInput({ onFailure: 'ask' }), {
      'await-level': fails('LEVEL_NOT_REACHED'),
    });
    expect(failedAs).toBe('FAILED_UNDONE');
    expect(calls).toContain('resume-writes');
    expect(calls).not.toContain('fence-source');
  });

  test('of two sites that serve, the standby serves on: clients had been sent there, and are shared again', async () => {
    const { calls, failedAs } = await told(failoverInput({}, { strategy: 'hot' }), {
      'await-level': fails('LEVEL_NOT_REACHED'),
    });
    expect(failedAs).toBe('FAILED_UNDONE');
    expect(calls).toContain('drain-source');
    expect(calls).toContain('undo-traffic');
    expect(calls).not.toContain('stop-target');
  });

  test('a lag over the limit refuses it: nothing has been touched', async () => {
    const { record, calls } = await told(failoverInput({ mode: 'forced' }), {
      'check-replicas': fails('LAG_TOO_LARGE'),
    });
    expect(record.outcome).toBe('REFUSED');
    expect(calls).toEqual(['check-replicas']);
  });
});

test('a site that cannot be made to follow is put back as it was, slot and fence included', async () => {
  const { record, calls, failedAs } = await told(replicateInput(), {
    'follow-database': fails('REPLICA_NOT_LEVEL'),
  });
  expect(failedAs, record.exceptions.join()).toBe('FAILED_UNDONE');
  const undone = calls.filter((id) => /^undo |close-replication|unmark-standby|stop-target/.test(id));
  expect(undone.slice(0, 2)).toEqual(['stop-target', 'unmark-standby']);
  expect(undone.at(-1)).toBe('close-replication');
  expect(undone).toEqual(expect.arrayContaining(['undo copy-database', 'undo clear-redis']));
});

test('goes on under the same lock with the run that was planned behind it', async () => {
  const first = failoverInput();
  const { plan, run } = replicateInput({ to: 'primary', from: 'dr' });
  const next = { run, plan, planDigest: 'p'.repeat(64) };
  const { record } = await told({ ...first, plan: { ...first.plan, next } });
  expect(record).toMatchObject({ run, runbook: 'replicate', outcome: 'REPLICATED', to: 'primary' });
  expect(record.earlier).toMatchObject([{ run: first.run, runbook: 'failover', outcome: 'RECOVERED' }]);
});
