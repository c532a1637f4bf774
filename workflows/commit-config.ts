import { isCancellation } from '@temporalio/workflow';
import type { CommitResult } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';

/**
 * The last step of a backup, and of a verification of a set that exists, which gets its tag then. Whatever becomes of
 * it: the set is there, and sound.
 */
export async function commitConfig(
  worker: string,
  call: () => Promise<StepResult>,
): Promise<CommitResult & { readonly durationMs: number }> {
  const begun = Date.now();
  try {
    const result: CommitResult = await call();
    return { ...result, durationMs: Date.now() - begun };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const warning = `the configuration was not committed to git: the worker ${worker} was lost or did not answer`;
    return { summary: 'not committed', warning, durationMs: Date.now() - begun };
  }
}
