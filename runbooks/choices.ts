import type { Choice } from '../domain/decision.ts';
import type { ErrorCode } from '../domain/error-table.ts';
import { isAboutLag } from '../domain/failover.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Phase } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';

type Planned = Pick<RecoverPlan, 'steps' | 'failover' | 'otherwise'>;

/**
 * What a person may decide about a step that has failed for good. Data are never skipped; they may be brought back by
 * hand, because a later step proves them; a step whose effect no step of the plan would see cannot be called done.
 */
export function choicesOf(step: Step, error: ErrorCode, plan: Planned): Choice[] {
  if (error === 'NOT_FENCED') return ['retry', 'confirm', 'abort'];
  const seen = step.byHand !== undefined && plan.steps.includes(step.byHand);
  return [
    'retry',
    ...(step.skippable ? (['skip'] as const) : []),
    ...(seen ? (['done'] as const) : []),
    ...(step.undo === undefined ? [] : (['undo'] as const)),
    ...(isAboutLag(error) ? (['confirm'] as const) : []),
    ...(mayDivert(step, plan) ? (['divert'] as const) : []),
    'abort',
  ];
}

/** Up to here a graceful failover can be taken back, and any other way would have to fence the source as well. */
const HANDING_OVER: readonly string[] = [
  'check-other-sites',
  'drain-source',
  'stop-writes',
  'await-level',
  'fence-source',
];
/** Clients may have written to the standby. */
const SERVED: readonly Phase[] = ['traffic', 'close-out'];

/** Whether the next way is of use where this step has failed. */
export function mayDivert({ id, phase }: Pick<Step, 'id' | 'phase'>, plan: Planned): boolean {
  if (plan.otherwise === undefined || HANDING_OVER.includes(id) || SERVED.includes(phase)) return false;
  return id !== 'check-replicas' || plan.failover?.mode === 'forced';
}
