import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { BackupInput, ShipWalResult } from '../domain/backup.ts';
import { backupId } from '../domain/messages.ts';
import type { StepResult } from '../domain/run.ts';
import { callStep, liveSite } from './backup.ts';

/**
 * Ships new WAL to the off-site copies. Under an id of its own: a backup or a proof of hours must not hold it up. A
 * copy that lacks the newest set gets it as a whole, when nobody else is at work on sets.
 */
export async function shipWal(input: BackupInput): Promise<StepResult> {
  const { site, database } = await liveSite(input);
  const shipped = (await callStep(input, site, database, 'ship-wal')) as ShipWalResult;
  const { summary, behind } = shipped;
  if (behind.length === 0) return { summary };
  const whole = await copyWhole(input);
  return { summary: `${summary}; the newest set to ${behind.join(', ')}: ${whole}` };
}

async function copyWhole(input: BackupInput): Promise<string> {
  try {
    const copied = await executeChild<(input: BackupInput) => Promise<StepResult>>('copy', {
      workflowId: backupId(input.deployment),
      args: [{ ...input, set: 'latest' }],
      staticSummary: `Copy the newest set of ${input.deployment} off-site`,
      memo: { run: input.run },
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
    });
    return copied.summary;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return 'later, as a backup or a proof is under way';
  }
}
