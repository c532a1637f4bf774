import { ERRORS, type ErrorCode } from '../domain/error-table.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { Decision, RunRecord, StepError } from '../domain/run.ts';
import type { UsedSnapshots } from '../domain/snapshot.ts';
import type { Step } from '../domain/step.ts';
import type { RecoverStepId } from '../runbooks/recover.ts';
import { now } from './run-state.ts';

/** What the steps of one run share, and the two ways in which a run ends before its story does. */

/** The run was given up, by a person or by `--on-failure abort`. */
export class Abort extends Error {
  readonly by: Decision;
  constructor(by: Decision) {
    super(by.reason);
    this.by = by;
  }
}

/** A precondition does not hold and nothing was changed yet. */
export class Refusal extends Error {
  readonly error: StepError;
  constructor(error: StepError) {
    super(error.message);
    this.error = error;
  }
}

export interface StepContext {
  readonly input: RecoverInput;
  readonly record: RunRecord;
  /** Unix milliseconds; see StepInput. */
  readonly epoch: number;
  /** Steps whose effect may have begun, in order; an abort undoes them last first. */
  readonly begun: Step<RecoverStepId>[];
  abort?: Decision;
  set?: string;
  snapshots?: UsedSnapshots;
}

/** @throws Abort once somebody has given the run up. */
export function giveUpIfAborted(context: StepContext): void {
  if (context.abort !== undefined) throw new Abort(context.abort);
}

export function stepError(code: ErrorCode, details: Record<string, string>): StepError {
  return { code, message: ERRORS[code].message(details), hint: ERRORS[code].hint, at: now() };
}
