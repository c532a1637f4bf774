import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { CheckBackupResult, RecoverInput, StepInput } from '../../domain/plan.ts';
import type { FailureDetails, StepResult } from '../../domain/run.ts';
import type { StoreLoss } from '../../domain/loss.ts';
import { SECURITY_CHECKS } from '../../domain/security-checks.ts';
import type { ServiceFigures } from '../../domain/service-level.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import type { DeploymentShape, RecoverRequest } from '../../runbooks/shape.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { FULL_SHAPE, REQUEST } from './shape.ts';

/** Inputs of the workflow, and activities that only tell that they were called. */

export function recoverInput(
  request: Partial<RecoverRequest> = {},
  shape: DeploymentShape = FULL_SHAPE,
  more: Partial<RecoverInput> = {},
): RecoverInput {
  const plan = compilePlan(shape, { ...REQUEST, ...request });
  return {
    run: `rec-test-${randomUUID().slice(0, 8)}`,
    plan,
    planDigest: 'p'.repeat(64),
    configDigest: 'c'.repeat(64),
    actor: 'tester',
    reason: 'a test',
    declaredAt: new Date().toISOString(),
    ...more,
  };
}

type Fake = (input: StepInput, ...more: never[]) => Promise<StepResult>;
export type Fakes = Record<string, Fake>;

/** One fake for every activity; `calls` lists what was called, in order. */
export function fakes(overrides: Fakes = {}): { activities: Fakes; calls: string[] } {
  const calls: string[] = [];
  const ids = [
    ...RECOVER_STEPS.map((step) => step.id),
    'stop-target',
    'look-at-target',
    'undo-switch',
    'check-approval',
  ];
  const fallback: Record<string, StepResult> = {
    'check-backup': {
      summary: 'ok',
      set: {
        set: 'SET',
        site: 'primary',
        createdAt: '2026-01-01T00:00:00.000Z',
        verified: true,
        bytes: 1,
        versions: {},
      },
      forecast: { totalMs: 1, parts: [] },
      points: [],
    } as CheckBackupResult,
    'measure-loss': { summary: 'nothing lost', losses: NO_LOSS } as StepResult,
    'measure-performance': { summary: 'fast', figures: FAST } as StepResult,
    'prove-security': {
      summary: 'secure',
      proofs: SECURITY_CHECKS.map((name) => ({ name, verdict: 'pass', expected: 'so', actual: 'so' })),
    },
    'check-approval': { summary: 'listed', identity: 'asserted' } as StepResult,
    'stop-target': { summary: 'stopped', states: { redis: 'stopped' } } as StepResult,
  };
  const activities = Object.fromEntries(
    ids.map((id): [string, Fake] => [
      id,
      async (input, ...more) => {
        calls.push(id === 'undo-switch' ? `undo ${input.step}` : id);
        return (await overrides[id]?.(input, ...more)) ?? fallback[id] ?? done(id);
      },
    ]),
  );
  return { activities, calls };
}

function done(id: string): StepResult {
  const proof = { name: `what ${id} shows`, verdict: 'pass', expected: 'so', actual: 'so' } as const;
  return { summary: `${id} done`, ...(id.startsWith('prove-') ? { proofs: [proof] } : {}) };
}

/** Of both stores, to the second. */
export const NO_LOSS: readonly StoreLoss[] = (['redis', 'database'] as const).map((store) => ({
  ...{ store, newestJournalled: 1, newestRecovered: 1, lost: 0, holes: 0, holesFrom: 1, minMs: 0, maxMs: 0 },
}));

export const FAST: ServiceFigures = {
  ...{ fromAt: '2026-01-01T00:00:00.000Z', untilAt: '2026-01-01T00:00:10.000Z', requests: 500 },
  ...{ availabilityPercent: 100, errorPercent: 0, p50Ms: 2, p95Ms: 5, p99Ms: 9, requestsPerSecond: 50 },
};

/** An activity that fails for good, so many times or always. */
export function fails(
  code: string,
  times = Number.POSITIVE_INFINITY,
  details?: Partial<FailureDetails>,
): () => Promise<never> {
  let left = times;
  return () => {
    if (left-- <= 0) return Promise.resolve(undefined as never);
    return Promise.reject(
      ApplicationFailure.create({
        message: `it is ${code}`,
        type: code,
        nonRetryable: true,
        ...(details ? { details: [details] } : {}),
      }),
    );
  };
}
