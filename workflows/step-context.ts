import { rtoBasis } from '../domain/clock.ts';
import type { Choice, Decision } from '../domain/decision.ts';
import { ERRORS, type ErrorCode } from '../domain/error-table.ts';
import type { RecoverInput, StepInput } from '../domain/plan.ts';
import type { RunRecord, StepError } from '../domain/run.ts';
import type { UsedSnapshots } from '../domain/snapshot.ts';
import type { Step } from '../domain/step.ts';
import type { StepId } from '../runbooks/tables.ts';
import { SCHEDULE_TO_START_MS } from './activity-of.ts';
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
  readonly begun: Step<StepId>[];
  /** What was decided last about a step that waited. */
  readonly decided: Map<string, Decision & { readonly kind: Choice }>;
  /** First digits of the digests of configurations that a person has accepted besides the plan's. */
  readonly acceptedConfigs: string[];
  abort?: Decision;
  /** This is what builds the copy of a simulation, and not the drill itself. */
  readonly isCopy?: true;
  /** Of a simulation: what built the isolated copy that it breaks. Torn down after it. */
  copy?: StepContext;
  set?: string;
  snapshots?: UsedSnapshots;
}

/** @throws Abort once somebody has given the run up. */
export function giveUpIfAborted(context: StepContext): void {
  if (context.abort !== undefined) throw new Abort(context.abort);
}

/** Gives the run up for something that no person has decided, once, and keeps it among the decisions. */
export function abortFor(context: StepContext, actor: string, reason: string, step = 'the run'): void {
  if (context.abort !== undefined) return;
  context.abort = { kind: 'abort', step, actor, reason, at: now() };
  context.record.decisions.push(context.abort);
}

const ASKED_NOBODY = '--on-failure abort';
/** Nobody's account has a name like these: a person who gives a run up is told apart by it. */
export const BY_ITSELF = 'tyk-dr, by itself';

/** About a step that cannot go on: of a run that asks nobody, or `BY_ITSELF` where clients would wait for the answer. */
export function automaticAbort(step: string, reason: string, actor = ASKED_NOBODY): Decision {
  return { kind: 'abort', step, actor, reason, at: now() };
}

export const isAutomatic = (actor: string): boolean => [ASKED_NOBODY, BY_ITSELF].includes(actor);

export function stepError(code: ErrorCode, details: Record<string, string>): StepError {
  return { code, message: ERRORS[code].message(details), hint: ERRORS[code].hint, at: now() };
}

/** The activity refuses a task that waited longer than its queue time, with a margin for the clocks. */
const NOT_AFTER_MARGIN_MS = 5_000;

export function stepInput(context: StepContext, step: string): StepInput {
  const { input, record, epoch, set, snapshots, acceptedConfigs } = context;
  // What else could be done is of no use to an activity, and each of them would carry it through the history.
  const { next: _next, otherwise: _otherwise, ...plan } = input.plan;
  return {
    run: input.run,
    step,
    plan,
    configDigest: input.configDigest,
    ...(acceptedConfigs.length === 0 ? {} : { acceptedConfigs: [...acceptedConfigs] }),
    epoch,
    basisAt: rtoBasis(record.clock).at,
    notAfter: new Date(Date.now() + SCHEDULE_TO_START_MS + NOT_AFTER_MARGIN_MS).toISOString(),
    ...(set === undefined ? {} : { set }),
    ...(snapshots === undefined ? {} : { snapshots }),
  };
}
