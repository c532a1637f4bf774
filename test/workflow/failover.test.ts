import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { tableOf } from '../../runbooks/tables.ts';
import { failoverInput, fails, recoverInput, replicateInput, type Fakes } from '../harness/recover-input.ts';
import { startTemporal } from '../harness/temporal.ts';
import { awaitState, rowOf, send, toldRun, waiting, type ToldRun } from '../harness/told-run.ts';

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
    const { record, calls, failedAs } = await told(failoverInput({ onFailure: 'ask' }), {
      'await-level': fails('LEVEL_NOT_REACHED'),
    });
    expect(failedAs).toBe('FAILED_UNDONE');
    expect(record.error!.message).toContain('tyk-dr');
    expect(record.error!.message).not.toContain('--on-failure');
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

describe('where the standby does not take over', () => {
  const ANN = { actor: 'ann', reason: 'I have looked' };
  const occurredAt = new Date(Date.now() - 60_000).toISOString();
  const otherwise = (): NonNullable<RecoverInput['plan']['otherwise']> => {
    const { plan, run } = recoverInput();
    return { run, plan, planDigest: 'p'.repeat(64) };
  };
  const withOtherWay = (input: RecoverInput, way = otherwise()): RecoverInput => ({
    ...{ ...input, occurredAt },
    plan: { ...input.plan, otherwise: way },
  });
  const forced = (): RecoverInput => withOtherWay(failoverInput({ mode: 'forced', onFailure: 'ask' }));
  const decide =
    (step: string, kind: string, choices: readonly string[]) => async (handle: WorkflowHandle) => {
      const record = await awaitState(handle, waiting);
      expect(rowOf(record, step).choices).toEqual(choices);
      await send(handle, kind, ANN);
    };

  test.each([
    ['promote-database', 'PROMOTION_FAILED', ['retry', 'divert', 'abort']],
    ['check-replicas', 'LAG_TOO_LARGE', ['retry', 'confirm', 'divert', 'abort']],
  ] as const)(
    'at %s, people may take the next way: under the same lock, on the same clock',
    async (...args) => {
      const [step, code, choices] = args;
      const input = forced();
      const { run } = input.plan.otherwise!;
      const { record, calls } = await toldRun(
        environment,
        input,
        { [step]: fails(code) },
        decide(step, 'divert', choices),
      );
      expect(record).toMatchObject({ run, runbook: 'recover', outcome: 'RECOVERED', to: 'dr' });
      expect(record.clock[0]).toMatchObject({ name: 'occurred', at: occurredAt });
      expect(record.earlier).toMatchObject([{ run: input.run, runbook: 'failover', outcome: 'ABORTED' }]);
      // What has been promoted does not run on while the backup is put in its place.
      expect(calls.includes('stop-target')).toBe(step === 'promote-database');
    },
  );

  test('one way after the other is offered, also where the next one would be refused', async () => {
    const last = otherwise();
    const second = withOtherWay(failoverInput({ mode: 'forced', onFailure: 'ask' }), last);
    const { run, plan, planDigest } = second;
    const first = withOtherWay(failoverInput({ mode: 'forced', onFailure: 'ask' }), {
      run,
      plan,
      planDigest,
    });
    const { record } = await toldRun(
      environment,
      first,
      {
        'promote-redis': fails('PROMOTION_FAILED'),
        'check-replicas': (input) =>
          input.run === run ? fails('STANDBY_IS_ANOTHER')() : Promise.resolve(undefined as never),
      },
      async (handle) => {
        await decide('promote-redis', 'divert', ['retry', 'divert', 'abort'])(handle);
        await awaitState(handle, (now) => now.run === run && waiting(now));
        await decide('check-replicas', 'divert', ['retry', 'divert', 'abort'])(handle);
      },
    );
    expect(record).toMatchObject({ run: last.run, outcome: 'RECOVERED' });
    expect(record.earlier!.map((each) => each.run)).toEqual([first.run, run]);
  });

  test('a loss that somebody takes is told, and the failover goes on', async () => {
    const { record } = await toldRun(
      environment,
      forced(),
      { 'check-replicas': fails('LAG_UNKNOWN') },
      decide('check-replicas', 'confirm', ['retry', 'confirm', 'divert', 'abort']),
    );
    expect(record).toMatchObject({ runbook: 'failover', outcome: 'RECOVERED_WITH_EXCEPTIONS' });
    expect(record.exceptions).toEqual(['check-replicas: it is LAG_UNKNOWN; ann takes that: I have looked']);
  });

  test('a machine that asks nobody is refused as before: nothing has been touched', async () => {
    const input = withOtherWay(failoverInput({ mode: 'forced', onFailure: 'abort' }));
    const { record, calls } = await told(input, { 'check-replicas': fails('LAG_TOO_LARGE') });
    expect(record.outcome).toBe('REFUSED');
    expect(calls).toEqual(['check-replicas']);
  });

  test('gracefully, and nobody wants another way: the source serves again, and the standby cannot', async () => {
    const { record, calls, failedAs } = await told(failoverInput(), {
      'promote-database': fails('PROMOTION_FAILED'),
    });
    expect(failedAs, record.exceptions.join()).toBe('FAILED_UNDONE');
    const undone = calls.filter((id) =>
      ['stop-target', 'give-back', 'return-source', 'resume-writes'].includes(id),
    );
    expect(undone).toEqual(['stop-target', 'give-back', 'return-source', 'resume-writes']);
    expect(record.componentStates).not.toHaveProperty('site primary');
  });

  test.each(['forced', 'graceful'] as const)(
    'once clients may have written there (%s), nobody gives it back',
    async (mode) => {
      const { calls } = await told(failoverInput({ mode }), { 'prove-traffic': fails('PROOF_FAILED') });
      expect(calls).toContain('stop-target');
      for (const id of ['give-back', 'return-source', 'resume-writes']) expect(calls, id).not.toContain(id);
    },
  );
});
