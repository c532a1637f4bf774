import { CancellationScope, condition } from '@temporalio/workflow';
import type { RunRecord, SetSummary } from '../domain/run.ts';
import type { UsedSnapshots } from '../domain/snapshot.ts';
import { beside } from './beside.ts';
import { markClock, stepRecord } from './run-state.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';

/** The parts of the story that a recovery and its rehearsal share: what is rehearsed is what will run. */

/** Which set, and that it can be trusted, before anything is touched. */
export async function chooseBackup(context: StepContext): Promise<void> {
  const backup = await runStep(context, 'check-backup');
  if (!backup) return;
  context.set = backup.set.set;
  context.record.set = backup.set;
  context.record.forecast = backup.forecast;
  context.record.points = backup.points;
  context.snapshots = usedSnapshots(backup.set);
}

function usedSnapshots({ snapshots = [] }: SetSummary): UsedSnapshots {
  return Object.fromEntries(snapshots.map(({ kind, snapshot }) => [kind, snapshot]));
}

export async function redis(context: StepContext): Promise<void> {
  await runStep(context, 'restore-redis-data');
  await runStep(context, 'start-redis');
  await runStep(context, 'prove-redis');
}

export async function database(context: StepContext): Promise<void> {
  await runStep(context, 'restore-database-data');
  await runStep(context, 'start-database');
  await runStep(context, 'prove-database');
}

export async function dashboard(context: StepContext): Promise<void> {
  await runStep(context, 'restore-dashboard-config');
  await runStep(context, 'start-dashboard');
  await runStep(context, 'prove-dashboard');
}

export async function gateways(context: StepContext): Promise<void> {
  await settleAll([
    startGateways(context),
    // The Gateway lets unread analytics expire after a minute: the Pump comes with it, not after.
    runStep(context, 'start-pump'),
  ]);
  await runStep(context, 'prove-gateways');
}

async function startGateways(context: StepContext): Promise<void> {
  await runStep(context, 'restore-gateway-config');
  // Gateways without a Dashboard find their upstreams in the files that have just been restored.
  await runStep(context, 'check-upstreams');
  await runStep(context, 'start-gateways');
}

export async function verification(context: StepContext): Promise<void> {
  await settleAll([
    runStep(context, 'prove-apis'),
    runStep(context, 'prove-authentication'),
    runStep(context, 'prove-analytics'),
  ]);
}

/** What it finds stays in the record, whatever comes after; where nobody has measured, it is not met. */
export async function measureTheLoss(context: StepContext): Promise<void> {
  const measured = await runStep(context, 'measure-loss');
  if (!measured) return;
  context.record.losses = measured.losses;
  if (measured.lostItems) context.record.lostItems = measured.lostItems;
}

/** How well clients are served now; it stays in the record beside what the witness saw. */
export async function measurePerformance(context: StepContext): Promise<void> {
  const measured = await runStep(context, 'measure-performance');
  const { record } = context;
  if (measured?.figures) record.performance = { ...record.performance, after: measured.figures };
}

/** What clients saw, by the witness. */
export async function measureOutage(context: StepContext): Promise<void> {
  const seen = await runStep(context, 'measure-outage');
  if (!seen) return;
  context.record.witness = seen.witness;
  if (seen.performance) context.record.performance = { ...context.record.performance, ...seen.performance };
}

/** Only what this run has restored: where stores were left alone, there is no such moment. */
export function markDataRestored(record: RunRecord): void {
  const restored = ['restore-redis-data', 'restore-database-data'].filter((id) =>
    ['done', 'by-hand'].includes(stepRecord(record, id).state),
  );
  if (restored.length === 0) return;
  const proven = ['prove-redis', 'prove-database'].filter((id) => stepRecord(record, id).state === 'done');
  markClock(record, 'data restored', [...proven, ...(proven.length === 0 ? restored : [])].join(' and '));
}

/** Tells the story; an abort cancels what is under way rather than waiting for its end. */
export async function untilAborted(context: StepContext, story: () => Promise<void>): Promise<void> {
  const telling = new CancellationScope();
  await beside(
    async () => {
      await condition(() => context.abort !== undefined);
      telling.cancel();
    },
    () => telling.run(story),
  );
}

/** Waits for all before it throws the first failure: no branch goes on unseen after another has failed. */
export async function settleAll(branches: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(branches);
  for (const branch of settled) if (branch.status === 'rejected') throw branch.reason;
}
