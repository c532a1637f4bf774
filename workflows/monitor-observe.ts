import {
  ActivityCancellationType,
  ActivityFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  sleep,
} from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import { fingerprint, type LiveAnswer, type ObserveInput, type View } from '../domain/monitor.ts';
import type { Watch } from './monitor-state.ts';

/** How the monitor asks its observers, and finds out which site serves. */

/** Workers beat every second; five missed beats and some more mean a silent one. */
const HEARTBEAT_TIMEOUT_MS = 6_000;
/** One that has not begun by then is silent. */
const QUEUE_PATIENCE_MS = 5_000;
/** Of one that is silent already the task lies ready until it is back: nothing is counted meanwhile. */
const SILENT_PATIENCE_MS = 10 * 60_000;
/** Without news an observer answers after this long: seldom enough for a history of days. */
const QUIET_MS = 5 * 60_000;
const ONE_LOOK_MS = 15_000;
/** A worker that fails at once is not asked in a circle. */
const FAILED_PAUSE_MS = 2_000;

interface Observing {
  'observe-site': (input: ObserveInput) => Promise<View>;
  'look-at-live': (deployment: string) => Promise<LiveAnswer[]>;
}

/** Lets every observer look until the scope is cancelled; whatever one says is told to the watch at once. */
export function observe(watch: Watch, site: string): CancellationScope {
  const scope = new CancellationScope();
  const all = scope.run(() =>
    Promise.all(watch.input.settings.observers.map((observer) => listenTo(watch, site, observer))),
  );
  all.catch(() => undefined);
  return scope;
}

async function listenTo(watch: Watch, site: string, observer: string): Promise<void> {
  const { deployment, intervalMs } = watch.input.settings;
  for (;;) {
    const view = watch.views.get(observer);
    const isSilent = watch.views.has(observer) && view === undefined;
    const { 'observe-site': look } = proxyActivities<Observing>({
      taskQueue: workerQueue(observer),
      scheduleToStartTimeout: isSilent ? SILENT_PATIENCE_MS : QUEUE_PATIENCE_MS,
      startToCloseTimeout: QUIET_MS + 60_000,
      heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
      cancellationType: ActivityCancellationType.TRY_CANCEL,
      retry: { maximumAttempts: 1 },
      summary: `${observer} looks at ${site}`,
    });
    const known = view && { known: fingerprint(view) };
    try {
      hear(watch, observer, await look({ deployment, site, intervalMs, forMs: QUIET_MS, ...known }));
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      hear(watch, observer, undefined);
      await sleep(FAILED_PAUSE_MS);
    }
  }
}

function hear(watch: Watch, observer: string, view: View | undefined): void {
  watch.views.set(observer, view);
  watch.news += 1;
}

/** One look of every observer, begun now: what was seen before counts no more. */
export async function askAll(watch: Watch, site: string): Promise<void> {
  const { deployment, intervalMs, observers } = watch.input.settings;
  await Promise.all(
    observers.map(async (observer) => {
      const { 'observe-site': look } = proxyActivities<Observing>({
        taskQueue: workerQueue(observer),
        scheduleToStartTimeout: QUEUE_PATIENCE_MS,
        startToCloseTimeout: ONE_LOOK_MS,
        retry: { maximumAttempts: 1 },
        summary: `${observer} looks at ${site} once more`,
      });
      try {
        watch.views.set(observer, await look({ deployment, site, intervalMs, forMs: 0 }));
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
        watch.views.set(observer, undefined);
      }
    }),
  );
}

/**
 * Which site serves, as every worker of each sees it. A known one stays while it is not proven to be another.
 *
 * @returns whether it is another one now
 */
export async function findServing(watch: Watch): Promise<boolean> {
  const { sites, deployment, drillSite } = watch.input.settings;
  const workers = [...new Set(sites.flatMap((each) => each.workers))];
  const answers = (await Promise.all(workers.map((worker) => liveOn(worker, deployment)))).flat();
  const live = sites
    .map(({ site }) => site)
    .filter((site) => site !== drillSite)
    .filter((site) => {
      const own = answers.filter((answer) => answer.site === site);
      return own.length > 0 && own.every((answer) => answer.live);
    });
  const before = watch.serving;
  // A site whose store has just died is not given up: only one that is fenced or follows another, or of which nobody answers.
  const mayHaveMoved = answers.filter(({ site }) => site === before).every(({ fenced }) => fenced);
  if (live.length === 1 && mayHaveMoved) [watch.serving] = live;
  else if (before === undefined)
    watch.unknown =
      live.length > 1
        ? `${live.join(' and ')} both run their stores`
        : `no site runs its stores (${answers.map(({ site, summary }) => `${site}: ${summary}`).join('; ') || 'no worker answers'})`;
  return watch.serving !== before;
}

async function liveOn(worker: string, deployment: string): Promise<LiveAnswer[]> {
  const { 'look-at-live': look } = proxyActivities<Observing>({
    taskQueue: workerQueue(worker),
    scheduleToStartTimeout: QUEUE_PATIENCE_MS,
    startToCloseTimeout: ONE_LOOK_MS,
    retry: { maximumAttempts: 1 },
    summary: `Which site does ${worker} see serving?`,
  });
  return look(deployment).catch((error: unknown) => {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    return [];
  });
}
