import type { Where } from './plan.ts';
import type { Phase } from './run.ts';

/**
 * A step of a runbook, as data. Its id is also the name of its activity and its row in the report, so that one
 * grep tells it end to end.
 */
export interface Step<Id extends string = string> {
  readonly id: Id;
  readonly phase: Phase;
  /** Steps that must have ended before this one starts. Steps that are not part of the plan count as ended. */
  readonly after: readonly Id[];
  /** `probe` reads; `mutate` changes a target, observes before it acts and may be called again. */
  readonly risk: 'probe' | 'mutate';
  readonly purpose: string;
  /** What shows that the step did what it is for. */
  readonly proof: string;
  /** Longest time the tool may take, milliseconds. Far above any honest run: it only catches what hangs. */
  readonly limitMs: number;
  /** What to call when the run is given up after this step began. */
  readonly undo?: string;
  /** A person may let the run go on without it, once it has failed for good. */
  readonly skippable?: true;
  /** A person may do it by hand instead; the step named here shows afterwards whether that was done. */
  readonly byHand?: Id;
  /** Whose workers run it. */
  readonly where: Where;
}
