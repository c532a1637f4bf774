import type { Choice } from '../domain/decision.ts';
import type { ErrorCode } from '../domain/error-table.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Step } from '../domain/step.ts';

/**
 * What a person may decide about a step that has failed for good. Data are never skipped; they may be brought back by
 * hand, because a later step proves them; a step whose effect no step of the plan would see cannot be called done.
 */
export function choicesOf(step: Step, error: ErrorCode, plan: Pick<RecoverPlan, 'steps'>): Choice[] {
  if (error === 'NOT_FENCED') return ['retry', 'confirm', 'abort'];
  const seen = step.byHand !== undefined && plan.steps.includes(step.byHand);
  return [
    'retry',
    ...(step.skippable ? (['skip'] as const) : []),
    ...(seen ? (['done'] as const) : []),
    ...(step.undo === undefined ? [] : (['undo'] as const)),
    'abort',
  ];
}
