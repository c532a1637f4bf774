import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { LookItem } from '../../domain/live-look.ts';
import type { CheckBackupResult, RecoverInput, RecoverPlan, StepInput } from '../../domain/plan.ts';
import type { FailureDetails, StepResult } from '../../domain/run.ts';
import type { StoreLoss } from '../../domain/loss.ts';
import { SECURITY_CHECKS } from '../../domain/security-checks.ts';
import type { ServiceFigures } from '../../domain/service-level.ts';
import { compileDrill, type DrillRequest } from '../../runbooks/drill-plan.ts';
import { DRILL_STEPS } from '../../runbooks/drill.ts';
import { compileFailover, type FailoverRequest } from '../../runbooks/failover-plan.ts';
import { FAILOVER_STEPS } from '../../runbooks/failover.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { compileReplicate, type ReplicateRequest } from '../../runbooks/replicate-plan.ts';
import { REPLICATE_STEPS } from '../../runbooks/replicate.ts';
import type { DeploymentShape, RecoverRequest } from '../../runbooks/shape.ts';
import { FULL_SHAPE, REQUEST } from './shape.ts';

/** Inputs of the workflow, and activities that only tell that they were called. */

export function recoverInput(
  request: Partial<RecoverRequest> = {},
  shape: DeploymentShape = FULL_SHAPE,
  more: Partial<RecoverInput> = {},
): RecoverInput {
  return inputOf('rec', compilePlan(shape, { ...REQUEST, ...request }), more);
}

const DRILL_SHAPE: DeploymentShape = { ...FULL_SHAPE, drill: { site: 'dr', limitMs: 600_000 } };

/** The same for the workflow `drill`. */
export function drillInput(
  request: Partial<DrillRequest> = {},
  shape: Partial<DeploymentShape> = {},
): RecoverInput {
  const plan = compileDrill(
    { ...DRILL_SHAPE, ...shape },
    {
      ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', participants: [] },
      ...{ backup: 'latest', onFailure: 'abort', decide: 'auto' },
      ...request,
    },
  );
  return inputOf('drl', plan, {});
}

const STANDBY_SHAPE: DeploymentShape = { ...FULL_SHAPE, strategy: 'pilot-light' };

/** The same for the workflow `failover`. */
export function failoverInput(
  request: Partial<FailoverRequest> = {},
  shape: Partial<DeploymentShape> = {},
): RecoverInput {
  const plan = compileFailover(
    { ...STANDBY_SHAPE, ...shape },
    { ...{ to: 'dr', mode: 'graceful', onFailure: 'abort' }, ...request },
  );
  return inputOf('fo', plan, {});
}

/** The same for the workflow `replicate`. */
export function replicateInput(
  request: Partial<ReplicateRequest> = {},
  shape: Partial<DeploymentShape> = {},
): RecoverInput {
  const plan = compileReplicate(
    { ...STANDBY_SHAPE, ...shape },
    { ...{ to: 'dr', onFailure: 'abort' }, ...request },
  );
  return inputOf('rep', plan, {});
}

function inputOf(kind: string, plan: RecoverPlan, more: Partial<RecoverInput>): RecoverInput {
  return {
    run: `${kind}-test-${randomUUID().slice(0, 8)}`,
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

const UNDOES = ['undo-switch', 'undo-copy'];

/** One fake for every activity; `calls` lists what was called, in order. */
export function fakes(overrides: Fakes = {}): { activities: Fakes; calls: string[] } {
  const calls: string[] = [];
  const ids = [
    ...[...DRILL_STEPS, ...FAILOVER_STEPS, ...REPLICATE_STEPS].map((step) => step.id as string),
    ...[
      'resume-writes',
      'return-source',
      'give-back',
      'close-replication',
      'unmark-standby',
      'undo-copy',
      'undo-traffic',
    ],
    ...['watch-live', 'audit-isolation', 'list-made', 'tidy-target', 'unmark-target'],
    'stop-target',
    'look-at-target',
    'undo-switch',
    'check-approval',
  ];
  const fallback: Record<string, StepResult> = {
    'check-replicas': { summary: 'level', standing: [] } as StepResult,
    'prove-replicas': { summary: 'level', standing: [] } as StepResult,
    'check-source': { summary: 'serves', stores: [] } as StepResult,
    'stop-writes': { summary: 'stopped', ends: [{ store: 'redis', position: '7' }] } as StepResult,
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
    'observe-live': { summary: 'seen', looks: LOOKS } as StepResult,
    'compare-live': { summary: 'seen', looks: LOOKS } as StepResult,
    'find-leaks': { summary: 'nothing is left', left: [] } as StepResult,
    'list-made': { summary: 'made', made: ['/a', '/b'] } as StepResult,
    'check-approval': { summary: 'listed', identity: 'asserted' } as StepResult,
    'stop-target': { summary: 'stopped', states: { redis: 'stopped' } } as StepResult,
  };
  const activities = Object.fromEntries(
    ids.map((id): [string, Fake] => [
      id,
      async (input, ...more) => {
        calls.push(UNDOES.includes(id) ? `undo ${input.step}` : id);
        if (WATCHES.includes(id) && !overrides[id]) return untilCancelled();
        return (await overrides[id]?.(input, ...more)) ?? fallback[id] ?? done(id);
      },
    ]),
  );
  return { activities, calls };
}

/** These end when the drill does. */
const WATCHES: readonly string[] = ['watch-live', 'audit-isolation'];

export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  return context.cancelled.finally(() => clearInterval(beat));
}

export const LOOKS: readonly LookItem[] = [{ what: 'gw1: configuration', value: 'abcd', rule: 'same' }];

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
