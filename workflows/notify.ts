import { CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { Notice, NoticeResult } from '../domain/notice.ts';

/** Longer than all tries of the activity together. */
const NOTIFY_TIMEOUT_MS = 90_000;
const QUEUE_PATIENCE_MS = 10_000;

/** Sends from the first worker that is there. Never throws: whoever cannot be told must not make anything else fail. */
export async function sendNotice(workers: readonly string[], notice: Notice): Promise<NoticeResult> {
  for (const worker of workers) {
    const { 'send-notice': send } = proxyActivities<{
      'send-notice': (notice: Notice) => Promise<NoticeResult>;
    }>({
      taskQueue: workerQueue(worker),
      scheduleToStartTimeout: QUEUE_PATIENCE_MS,
      startToCloseTimeout: NOTIFY_TIMEOUT_MS,
      // It tries each channel several times by itself; again would tell twice those who have heard it.
      retry: { maximumAttempts: 1 },
      summary: notice.title.slice(0, 200),
    });
    try {
      return await CancellationScope.nonCancellable(() => send(notice));
    } catch (error) {
      log.warn('a notice was not sent', { worker, error: String(error) });
    }
  }
  return { sent: [], failed: ['no worker could send it'] };
}
