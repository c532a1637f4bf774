import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { executeChild, isCancellation } from '@temporalio/workflow';
import type { BackupInput, StandbyWorkers } from '../domain/backup.ts';
import { filesId } from '../domain/messages.ts';
import type { bringFiles } from './bring-files.ts';
import { reasonOf } from './launch.ts';

/** What follows a set that was sealed. Whatever becomes of it: the set is there, and sound. */
export async function bringAfterwards(
  input: BackupInput,
  standbys: readonly StandbyWorkers[],
): Promise<{ readonly summary: string; readonly warnings: readonly string[] }> {
  try {
    const { hosts } = await executeChild<typeof bringFiles>('bringFiles', {
      workflowId: filesId(input.deployment),
      args: [input, standbys],
      staticSummary: `Bring the files of ${input.set} to the standby of ${input.deployment}`,
      memo: { run: input.run },
    });
    return {
      summary: hosts.map(({ summary }) => summary).join('; '),
      warnings: hosts.flatMap(({ warning }) => warning ?? []),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    // What that one brings may be older by a moment: the next set brings the rest.
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      return { summary: 'others are being brought at this moment', warnings: [] };
    return {
      summary: 'not brought',
      warnings: [`the files were not brought to the standby: ${reasonOf(error)}`],
    };
  }
}
