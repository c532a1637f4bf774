import { ActivityFailure, ApplicationFailure, proxyActivities, workflowInfo } from '@temporalio/workflow';
import {
  wrong,
  type DoctorInput,
  type Examination,
  type ExamineInput,
  type HostReport,
} from '../domain/doctor.ts';
import { workerQueue } from '../domain/messages.ts';
import type { HostFigures } from '../domain/figures.ts';

/** A worker that has not begun by then is away; one that has not ended by then hangs. */
const QUEUE_PATIENCE_MS = 3_500;
const EXAMINE_TIMEOUT_MS = 9_000;

/** Outside every lock: it looks at all hosts at the same time and changes nothing. */
export async function doctor({ deployment, hosts }: DoctorInput): Promise<Examination> {
  const nonce = workflowInfo().runId;
  const answers = await Promise.all(
    hosts.map(async ({ site, worker }) => {
      try {
        const { 'examine-host': examine, 'measure-host': measure } = on(worker);
        const [report, figures] = await Promise.all([
          examine({ deployment, site, nonce }),
          measure(deployment, site),
        ]);
        return { report, figures };
      } catch (error) {
        if (!(error instanceof ActivityFailure)) throw error;
        const why =
          error.cause instanceof ApplicationFailure ? error.cause.message : 'it did not answer in time';
        return { silent: wrong('worker', worker, `the worker ${worker} of ${site}: ${why}`) };
      }
    }),
  );
  return {
    reports: answers.flatMap(({ report }) => report ?? []),
    figures: answers.flatMap(({ figures }) => figures ?? []),
    silent: answers.flatMap(({ silent }) => silent ?? []),
  };
}

/**
 * What every worker measures of how much would be lost now; those that do not answer are left out.
 *
 * @param nonce where drift is to be told as well
 */
export async function measure({ deployment, hosts }: DoctorInput, nonce?: string): Promise<HostFigures[]> {
  const more: [string?] = nonce === undefined ? [] : [nonce];
  const answers = await Promise.allSettled(
    hosts.map(({ site, worker }) => on(worker)['measure-host'](deployment, site, ...more)),
  );
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

function on(worker: string) {
  return proxyActivities<{
    'examine-host': (input: ExamineInput) => Promise<HostReport>;
    'measure-host': (deployment: string, site: string, nonce?: string) => Promise<HostFigures>;
  }>({
    taskQueue: workerQueue(worker),
    scheduleToStartTimeout: QUEUE_PATIENCE_MS,
    startToCloseTimeout: EXAMINE_TIMEOUT_MS,
    retry: { maximumAttempts: 1 },
    summary: `Look at ${worker}`,
  });
}
