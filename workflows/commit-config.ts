import { isCancellation } from '@temporalio/workflow';
import type { CommitResult } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';

/**
 * The last step of a backup, and of a verification of a set that exists, which gets its tag then. Whatever becomes of
 * it: the set is there, and sound.
 */
export function commitConfig(worker: string, call: () => Promise<StepResult>): Promise<Timed> {
  const lost = `the configuration was not committed to git: the worker ${worker} was lost or did not answer`;
  return orWarning(call, 'not committed', lost);
}

/** After every set, whether it is proven or not: the runbook names what the configuration is now. */
export function exportRunbook(worker: string, call: () => Promise<StepResult>): Promise<Timed> {
  const lost = `the runbook was not exported: the worker ${worker} was lost or did not answer`;
  return orWarning(call, 'not exported', lost);
}

type Timed = CommitResult & { readonly durationMs: number };

async function orWarning(call: () => Promise<StepResult>, summary: string, warning: string): Promise<Timed> {
  const begun = Date.now();
  try {
    const result: CommitResult = await call();
    return { ...result, durationMs: Date.now() - begun };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { summary, warning, durationMs: Date.now() - begun };
  }
}
