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

function merged(workers: readonly string[], results: readonly StepResult[]): StepResult {
  const exceptions = results.flatMap(({ exception }) => (exception === undefined ? [] : [exception]));
  const states: unknown[] = results.flatMap((result) => ('states' in result ? [result.states] : []));
  const together: StepResult = {
    summary: results.map(({ summary }, index) => `${workers[index]}: ${summary}`).join('; '),
    proofs: results.flatMap(({ proofs }) => proofs ?? []),
    observed: results.every(({ observed }) => observed === true),
    ...(exceptions.length > 0 ? { exception: exceptions.join('; ') } : {}),
  };
  return states.length > 0
    ? Object.assign(together, { states: Object.assign({}, ...states) as unknown })
    : together;
}
