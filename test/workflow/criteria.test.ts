import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Criterion } from '../../domain/criteria.ts';
import type { MeasurePerformanceResult } from '../../domain/plan.ts';
import type { Proof, RunRecord, StepResult } from '../../domain/run.ts';
import { SECURITY_CHECKS } from '../../domain/security-checks.ts';
import { FAST, fails, recoverInput, type Fakes } from '../harness/recover-input.ts';
import { startTemporal } from '../harness/temporal.ts';
import { awaitState, send, toldRun, waiting } from '../harness/told-run.ts';

/** What a criterion does to the outcome of a run, on a real Temporal server. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const verdicts = ({ criteria = [] }: RunRecord): string[] =>
  criteria.filter(({ verdict }) => verdict !== 'pass').map(({ id, verdict }) => `${id} ${verdict}`);

const slow: MeasurePerformanceResult = { summary: 'slow', figures: { ...FAST, p95Ms: 9_000 } };
const checks = (verdict: (check: string) => Proof['verdict']): StepResult => ({
  summary: 'looked at',
  proofs: SECURITY_CHECKS.map((name) => ({ name, verdict: verdict(name), expected: 'so', actual: 'seen' })),
});

describe('a recovery', () => {
  test('of which all five hold is RECOVERED, and has had its limits from the first moment', async () => {
    let first: readonly Criterion[] = [];
    const { record } = await toldRun(environment, recoverInput(), {}, async (handle) => {
      first = (await handle.query<RunRecord>('record')).criteria!;
    });
    expect(record.outcome).toBe('RECOVERED');
    expect(record.criteria!.map(({ verdict }) => verdict)).toEqual(Array(5).fill('pass'));
    expect(first.map(({ id, limits }) => [id, limits])).toEqual(
      record.criteria!.map(({ id, limits }) => [id, limits]),
    );
  });

  test.each<[string, Fakes, string[]]>([
    ['is slower than promised', { 'measure-performance': async () => slow }, ['performance fail']],
    [
      'has a security check that could not be made',
      {
        'prove-security': async () =>
          checks((check) => (check.startsWith('no default') ? 'not-measured' : 'pass')),
      },
      ['security not-measured'],
    ],
  ])('that %s is not plainly RECOVERED', async (_what, overrides, expected) => {
    const { record, failedAs } = await toldRun(environment, recoverInput(), overrides);
    expect(failedAs).toBeUndefined();
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(verdicts(record)).toEqual(expected);
    expect(record.exceptions).toEqual([expect.stringContaining(`criterion ${expected[0]!.split(' ')[0]}`)]);
  });

  test('of which the performance was not measured says so, and is RECOVERED', async () => {
    const { record } = await toldRun(environment, recoverInput(), {
      'measure-performance': async () => ({ summary: 'no probe' }),
    });
    expect(record.outcome).toBe('RECOVERED');
    expect(verdicts(record)).toEqual(['performance not-measured']);
  });

  test('whose security proof was skipped says so once, and counts it as not measured', async () => {
    const { record } = await toldRun(
      environment,
      recoverInput(),
      { 'prove-security': fails('PROOF_FAILED') },
      async (handle) => {
        await awaitState(handle, waiting);
        await send(handle, 'skip', { actor: 'ann', reason: 'later', step: 'prove-security' });
      },
    );
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(verdicts(record)).toEqual(['security not-measured']);
    expect(record.exceptions).toHaveLength(1);
  });

  test('that is given up keeps what was found until then, and nothing passes unseen', async () => {
    const { record, failedAs } = await toldRun(environment, recoverInput({ onFailure: 'abort' }), {
      'prove-redis': fails('PROOF_FAILED'),
    });
    expect(failedAs).toBe('FAILED_UNDONE');
    expect(record.criteria!.filter(({ verdict }) => verdict === 'pass').map(({ id }) => id)).toEqual([]);
    expect(record.criteria!.find(({ id }) => id === 'security')?.found).toContain('not measured');
  });

  test('with a plan of an earlier version has none, and ends as it would have', async () => {
    const input = recoverInput();
    const { criteria: _, ...plan } = input.plan;
    const old = ['measure-performance', 'prove-security'];
    const steps = plan.steps.filter((id) => !old.includes(id));
    const { record, calls } = await toldRun(environment, { ...input, plan: { ...plan, steps } });
    expect(record).toMatchObject({ outcome: 'RECOVERED' });
    expect(record.criteria).toBeUndefined();
    expect(calls.filter((id) => old.includes(id))).toEqual([]);
  });
});
