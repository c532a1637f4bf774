import { ActivityFailure, CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { Notice, NoticeResult, NoticeRoute, NoticeTarget } from '../domain/notice.ts';

/** A worker that has not begun by then is away, and the next one is asked. */
const QUEUE_PATIENCE_MS = 5_000;
/** Of one try of one channel: more than the channel's own time limit. */
const TRY_TIMEOUT_MS = 20_000;

/** How long a channel that does not answer is tried again: whoever hears of it later than that has heard otherwise. */
const CHANNEL_PATIENCE_MS = 90_000;

export interface SentNotice extends NoticeResult {
  readonly people: readonly string[];
  readonly next?: NoticeRoute['next'];
}

interface NotifyActivities {
  'route-notice': (notice: Notice, level: number) => Promise<NoticeRoute>;
  'route-to-all': (notice: Notice, names: readonly string[]) => Promise<NoticeRoute>;
  'tell-channel': (notice: Notice, target: NoticeTarget) => Promise<void>;
}

interface Telling {
  readonly level?: number;
  readonly patienceMs?: number;
  /** It concerns all of these: each place is told once. */
  readonly all?: readonly string[];
}

/**
 * Tells a notice on every channel that it is routed to, at the same time, each with its own retries, from the first
 * worker that is there. Never throws: whoever cannot be told must not make anything else fail.
 */
export async function sendNotice(
  workers: readonly string[],
  notice: Notice,
  { level = 1, patienceMs = CHANNEL_PATIENCE_MS, all }: Telling = {},
): Promise<SentNotice> {
  return CancellationScope.nonCancellable(async () => {
    const sent: string[] = [];
    const failed: string[] = [];
    let route: NoticeRoute;
    let answered = workers;
    try {
      route = await onAnyWorker(workers, async (worker) => {
        const asked = on(worker, notice, patienceMs);
        const found = await (all ? asked['route-to-all'](notice, all) : asked['route-notice'](notice, level));
        // Nobody waits again for those that were away just now.
        answered = [worker, ...workers.filter((each) => each !== worker)];
        return found;
      });
    } catch (error) {
      log.warn('a notice was not sent', { error: String(error) });
      return { sent, failed: ['no worker could send it'], people: [] };
    }
    await Promise.all(
      route.targets.map(async (target) => {
        try {
          await onAnyWorker(answered, (worker) =>
            on(worker, notice, patienceMs)['tell-channel'](notice, target),
          );
          sent.push(target.channel);
        } catch (error) {
          failed.push(`${target.channel}: ${reasonOf(error)}`);
        }
      }),
    );
    if (failed.length > 0) log.warn('somebody was not told', { title: notice.title, failed });
    return { sent, failed, people: route.people, ...(route.next ? { next: route.next } : {}) };
  });
}

function on(worker: string, notice: Notice, patienceMs: number): NotifyActivities {
  return proxyActivities<NotifyActivities>({
    taskQueue: workerQueue(worker),
    scheduleToStartTimeout: QUEUE_PATIENCE_MS,
    startToCloseTimeout: TRY_TIMEOUT_MS,
    scheduleToCloseTimeout: patienceMs,
    // A try whose worker died is made again: told twice is better than not told.
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
    summary: notice.title.slice(0, 200),
  });
}

/** The next one where a worker is away, or cannot do it. @throws what the last one failed with */
async function onAnyWorker<T>(workers: readonly string[], call: (worker: string) => Promise<T>): Promise<T> {
  let last: unknown = new Error('no worker is named');
  for (const worker of workers) {
    try {
      return await call(worker);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      last = error;
    }
  }
  throw last;
}

function reasonOf(error: unknown): string {
  return error instanceof ActivityFailure ? (error.cause?.message ?? error.message) : String(error);
}
