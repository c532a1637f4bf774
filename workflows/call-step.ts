import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { mergeAbandoned, type Abandoned } from '../domain/abandoned.ts';
import { mergeLostItems, type LostItems } from '../domain/lost-items.ts';
import { workerQueue } from '../domain/messages.ts';
import type { StepResult } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import { activityOf } from './activity-of.ts';

/** Calls the activity of a step on every worker that it concerns, and makes one result of theirs. */

/** What one worker's call ended with; the others have ended as well when it is thrown. */
export class CallFailure extends Error {
  override readonly cause: unknown;
  readonly worker: string;

  constructor(worker: string, cause: unknown) {
    super(`the call on ${worker} failed`);
    this.worker = worker;
    this.cause = cause;
  }
}

/** @throws CallFailure of the first worker that failed, once all have ended: none goes on unseen. */
export async function callEverywhere(
  step: Pick<Step, 'id' | 'risk' | 'limitMs' | 'purpose'>,
  workers: readonly string[],
  args: readonly unknown[],
): Promise<StepResult> {
  const settled = await Promise.allSettled(
    workers.map((worker) => activityOf(step, workerQueue(worker))(...args)),
  );
  const results: StepResult[] = [];
  for (const [index, call] of settled.entries()) {
    if (call.status === 'rejected') throw new CallFailure(workers[index]!, call.reason);
    results.push(call.value);
  }
  const [only] = results;
  return results.length === 1 && only ? only : merged(workers, results);
}

/**
 * The same for what nobody is asked about: an undo, the record of the run. A worker that dies in the middle of it is
 * called again, as every mutating activity allows, and one that is away is waited for.
 *
 * @param args made anew for each call: they say until when it may begin
 */
export async function callThrough(
  step: Pick<Step, 'id' | 'risk' | 'limitMs' | 'purpose'>,
  workers: readonly string[],
  args: () => readonly unknown[],
): Promise<StepResult> {
  for (let calls = 1; ; calls += 1) {
    try {
      return await callEverywhere(step, workers, args());
    } catch (error) {
      if (!isSilence(error) || calls >= MAX_CALLS) throw error;
    }
  }
}

/** A worker that is not back after this many calls, each of ten seconds where it is away, needs a person. */
const MAX_CALLS = 6;

/** The worker said nothing of the step itself: it has died over it, or did not take it in time. */
function isSilence(error: unknown): boolean {
  const failure = error instanceof CallFailure ? error.cause : undefined;
  if (!(failure instanceof ActivityFailure)) return false;
  const { cause } = failure;
  if (cause instanceof TimeoutFailure) return cause.timeoutType !== 'START_TO_CLOSE';
  return cause instanceof ApplicationFailure && cause.type === 'EXPIRED';
}

/** What workers find one by one, and a run keeps together. */
const LISTS = ['losses', 'looks', 'left', 'made', 'stores', 'standing', 'ends'] as const;

function merged(workers: readonly string[], results: readonly StepResult[]): StepResult {
  const exceptions = results.flatMap(({ exception }) => (exception === undefined ? [] : [exception]));
  const states: unknown[] = results.flatMap((result) => ('states' in result ? [result.states] : []));
  const together: StepResult = {
    summary: results.map(({ summary }, index) => `${workers[index]}: ${summary}`).join('; '),
    proofs: results.flatMap(({ proofs }) => proofs ?? []),
    servedBy: results.flatMap(({ servedBy }) => servedBy ?? []),
    observed: results.every(({ observed }) => observed === true),
    ...(exceptions.length > 0 ? { exception: exceptions.join('; ') } : {}),
  };
  for (const list of LISTS) {
    const all = results.flatMap(
      (result) => (result as Partial<Record<(typeof LISTS)[number], unknown[]>>)[list] ?? [],
    );
    if (results.some((result) => list in result)) Object.assign(together, { [list]: all });
  }
  const lostItems = mergeLostItems(
    results.flatMap((result) => ('lostItems' in result ? [result.lostItems as LostItems] : [])),
  );
  if (lostItems) Object.assign(together, { lostItems });
  const abandoned = mergeAbandoned(
    results.flatMap((result) => ('abandoned' in result ? [result.abandoned as Abandoned] : [])),
  );
  if (abandoned) Object.assign(together, { abandoned });
  return states.length > 0
    ? Object.assign(together, { states: Object.assign({}, ...states) as unknown })
    : together;
}
