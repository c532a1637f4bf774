import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { KeptPack } from '../domain/evidence.ts';
import { ERRORS } from '../domain/error-table.ts';
import { workerQueue } from '../domain/messages.ts';

/** A worker that has not begun by then is away; the next one is asked. */
const QUEUE_PATIENCE_MS = 2_000;
const EXPORT_TIMEOUT_MS = 120_000;

export interface ExportEvidenceInput {
  readonly deployment: string;
  readonly run: string;
  /** Asked in this order, until one has repository and key. */
  readonly workers: readonly string[];
}

/** Makes an evidence pack where the signing key is. Outside every lock: two at a time stand behind one another. */
export async function exportEvidence({ deployment, run, workers }: ExportEvidenceInput): Promise<KeptPack> {
  let last: ActivityFailure | undefined;
  for (const worker of workers) {
    const { 'export-evidence': make } = proxyActivities<{
      'export-evidence': (deployment: string, run: string) => Promise<KeptPack>;
    }>({
      taskQueue: workerQueue(worker),
      scheduleToStartTimeout: QUEUE_PATIENCE_MS,
      startToCloseTimeout: EXPORT_TIMEOUT_MS,
      retry: { maximumAttempts: 1 },
      summary: `Evidence of ${run}`,
    });
    try {
      return await make(deployment, run);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // What a worker says of the evidence itself is more than that another one was away.
      if (!(last?.cause instanceof ApplicationFailure)) last = error;
    }
  }
  if (last?.cause instanceof ApplicationFailure) throw last;
  const queue = workers.map(workerQueue).join(', ');
  throw ApplicationFailure.create({
    message: ERRORS.WORKER_MISSING.message({ queue }),
    type: 'WORKER_MISSING',
    nonRetryable: true,
  });
}
