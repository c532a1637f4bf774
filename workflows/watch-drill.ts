import { ActivityFailure, ApplicationFailure, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { StepInput } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';
import { workerQueue } from '../domain/messages.ts';
import { beside } from './beside.ts';
import { abortFor, stepInput, type StepContext } from './step-context.ts';

/** Beside the whole drill somebody watches the live site, and whom the drill's programs are connected to. */

const WATCHES = [
  { activity: 'watch-live', where: 'live', purpose: 'Watch the live site: in trouble, the drill ends' },
  { activity: 'audit-isolation', where: 'target', purpose: 'See that nothing of the drill leads out of it' },
] as const;

/** Runs the story while all is well; else aborts it, with the reason. */
export function whileWatched(context: StepContext, story: () => Promise<void>): Promise<void> {
  const { workers } = context.input.plan;
  return beside(
    () =>
      Promise.all(
        WATCHES.flatMap(({ activity, where, purpose }) =>
          (workers[where] ?? []).map((worker) => watchFrom(context, { activity, worker, purpose })),
        ),
      ),
    story,
  );
}

interface Watch {
  readonly activity: string;
  readonly worker: string;
  readonly purpose: string;
}

/** A worker that is away, or is stopped, watches again when it is back; the steps wait for it as well. */
async function watchFrom(context: StepContext, { activity, worker, purpose }: Watch): Promise<void> {
  const stubs = proxyActivities<Record<string, (input: StepInput) => Promise<StepResult>>>({
    taskQueue: workerQueue(worker),
    startToCloseTimeout: '1 day',
    heartbeatTimeout: '6 s',
    summary: purpose,
    retry: { initialInterval: '1 s', backoffCoefficient: 1 },
  });
  for (;;) {
    try {
      await stubs[activity]!(stepInput(context, activity));
    } catch (error) {
      if (isCancellation(error)) return;
      const cause = error instanceof ActivityFailure ? error.cause : undefined;
      const halted = cause instanceof ApplicationFailure && HALTS.includes(cause.type ?? '');
      if (!halted && cause instanceof ApplicationFailure && cause.type === 'WORKER_STOPPED') continue;
      abortFor(context, activity, cause?.message ?? String(error));
      return;
    }
  }
}

const HALTS: readonly string[] = ['DRILL_HALTED', 'DRILL_LEAVES_ISOLATION'];
