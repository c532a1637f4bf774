import { criteriaExceptions, judgeCriteria } from '../domain/judge-criteria.ts';
import type { StepContext } from './step-context.ts';

/** Beside each limit of the plan, what the run has come to; plans of earlier versions have none. */
export function judge({ record, input }: StepContext): void {
  if (input.plan.criteria) record.criteria = judgeCriteria(record, input.plan.criteria);
}

/** The same for a run that has come to its end: what does not hold is an exception. */
export function judgeAtTheEnd(context: StepContext): void {
  judge(context);
  context.record.exceptions.push(...criteriaExceptions(context.record));
}
