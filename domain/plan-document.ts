import type { ForecastAnswer, RecoverPlan } from './plan.ts';
import type { Phase } from './run.ts';
import type { Step } from './step.ts';

/** A plan as it is shown, kept and compared: what would run, on what, how long, and what to know beforehand. */
export interface PlanDocument {
  readonly format: 'tyk-dr/plan/v1';
  /** SHA-256 of `plan`: what reports name. */
  readonly planDigest: string;
  readonly configDigest: string;
  readonly plan: RecoverPlan;
  readonly phases: readonly { readonly phase: Phase; readonly budgetMs: number }[];
  readonly steps: readonly PlannedStep[];
  /** Absent where no worker could say it; then `forecastMissing` says why. */
  readonly forecast?: ForecastAnswer;
  readonly forecastMissing?: string;
  readonly warnings: readonly string[];
}

export interface PlannedStep extends Pick<
  Step,
  'id' | 'phase' | 'risk' | 'purpose' | 'proof' | 'undo' | 'limitMs'
> {
  /** Steps of the same group may run at the same time; 1 is the first. */
  readonly group: number;
  /** Planned steps that end before this one begins. */
  readonly after: readonly string[];
  /** Who owns it: the workers that do it. */
  readonly workers: readonly string[];
  readonly overwrites: readonly string[];
  /** Whose word it waits for before it begins. */
  readonly approval?: string;
}
