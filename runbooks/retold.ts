import type { Step } from '../domain/step.ts';
import { RECOVER_STEPS, type RecoverStepId } from './recover.ts';

/** Takes a row of a recovery over: the same step, after other ones. Its undo is taken over only where it is named. */
export function retold<Id extends RecoverStepId>(
  id: Id,
  after: readonly string[],
  changes: Partial<Omit<Step, 'id' | 'after'>> = {},
): Step & { readonly id: Id } {
  const { undo: _undo, ...row }: Step = RECOVER_STEPS.find((step) => step.id === id)!;
  return { ...row, after, ...changes, id };
}
