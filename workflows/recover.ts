import { CancellationScope, condition, defineQuery, setHandler } from '@temporalio/workflow';
import { RECORD_QUERY } from '../domain/messages.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord, SetSummary } from '../domain/run.ts';
import type { UsedSnapshots } from '../domain/snapshot.ts';
import { listenForApprovals } from './approvals.ts';
import { close } from './close.ts';
import { listenForDecisions } from './decisions.ts';
import { giveUp } from './give-up.ts';
import { withRtoClock } from './rto-clock.ts';
import { markClock, openRecord, publish, showDetails, stepRecord } from './run-state.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';
import { withTelling } from './tell-people.ts';

/**
 * The recovery, told in the guide's order. Each line is a row of `runbooks/recover.ts` and an activity of the same
 * name; what is not part of the plan passes by.
 *
 * Returns the record of a recovered run. Any other outcome fails the workflow with that outcome as its type and
 * the record as its detail, so that it shows red wherever Temporal shows it.
 */
export async function recover(input: RecoverInput): Promise<RunRecord> {
  const record = openRecord(input);
  const context: StepContext = {
    input,
    record,
    epoch: Date.parse(record.clock.at(-1)!.at),
    begun: [],
    decided: new Map(),
    acceptedConfigs: [],
  };
  setHandler(defineQuery<RunRecord>(RECORD_QUERY), () => record, {
    description: 'The whole record of the run as it stands: steps, clock, proofs, decisions.',
  });
  listenForDecisions(context);
  listenForApprovals(context);
  publish(record, { phase: 'infrastructure', rto: 'within' });
  showDetails(record);

  return withTelling(context, () => toItsEnd(context));
}

async function toItsEnd(context: StepContext): Promise<RunRecord> {
  const { record } = context;
  await withRtoClock(record, async () => {
    try {
      await untilAborted(context, () => tell(context));
      record.outcome = record.exceptions.length > 0 ? 'RECOVERED_WITH_EXCEPTIONS' : 'RECOVERED';
    } catch (error) {
      record.outcome = await giveUp(context, error);
    }
  });

  return close(context);
}

/** Tells the story; an abort cancels what is under way rather than waiting for its end. */
async function untilAborted(context: StepContext, story: () => Promise<void>): Promise<void> {
  const telling = new CancellationScope();
  const watching = new CancellationScope();
  const watch = watching.run(async () => {
    await condition(() => context.abort !== undefined);
    telling.cancel();
  });
  watch.catch(() => undefined);
  try {
    await telling.run(story);
  } finally {
    watching.cancel();
    await watch.catch(() => undefined);
  }
}

async function tell(context: StepContext): Promise<void> {
  const { inPlace } = context.input.plan;
  await infrastructure(context);
  // In place it may bring back the file without which a server does not start; elsewhere nobody waits for it.
  if (inPlace) await runStep(context, 'place-server-config');
  await settleAll([
    redis(context),
    database(context),
    ...(inPlace ? [] : [runStep(context, 'place-server-config')]),
  ]);
  markDataRestored(context.record);
  // Nobody waits for a figure.
  await settleAll([dashboard(context), measureTheLoss(context)]);
  await gateways(context);
  await verification(context);
  await traffic(context);
  await closeOut(context);
}

async function infrastructure(context: StepContext): Promise<void> {
  const backup = await runStep(context, 'check-backup');
  if (backup) {
    context.set = backup.set.set;
    context.record.set = backup.set;
    context.record.forecast = backup.forecast;
    context.record.points = backup.points;
    context.snapshots = usedSnapshots(backup.set);
  }
  await runStep(context, 'check-target');
  await runStep(context, 'check-other-sites');
  await runStep(context, 'provision-target');
  await runStep(context, 'fence-source');
  await runStep(context, 'hold-traffic');
  await runStep(context, 'claim-target');
}

function usedSnapshots({ snapshots = [] }: SetSummary): UsedSnapshots {
  return Object.fromEntries(snapshots.map(({ kind, snapshot }) => [kind, snapshot]));
}

async function redis(context: StepContext): Promise<void> {
  await runStep(context, 'restore-redis-data');
  await runStep(context, 'start-redis');
  await runStep(context, 'prove-redis');
}

async function database(context: StepContext): Promise<void> {
  await runStep(context, 'restore-database-data');
  await runStep(context, 'start-database');
  await runStep(context, 'prove-database');
}

async function dashboard(context: StepContext): Promise<void> {
  await runStep(context, 'restore-dashboard-config');
  await runStep(context, 'start-dashboard');
  await runStep(context, 'prove-dashboard');
}

async function gateways(context: StepContext): Promise<void> {
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

async function verification(context: StepContext): Promise<void> {
  await settleAll([
    runStep(context, 'prove-apis'),
    runStep(context, 'prove-authentication'),
    runStep(context, 'prove-analytics'),
  ]);
}

/** What it finds stays in the record, whatever comes after; where nobody has measured, it is not met. */
async function measureTheLoss(context: StepContext): Promise<void> {
  const measured = await runStep(context, 'measure-loss');
  if (!measured) return;
  context.record.losses = measured.losses;
  if (measured.lostItems) context.record.lostItems = measured.lostItems;
}

/** Only what this run has restored: where stores were left alone, there is no such moment. */
function markDataRestored(record: RunRecord): void {
  const restored = ['restore-redis-data', 'restore-database-data'].filter((id) =>
    ['done', 'by-hand'].includes(stepRecord(record, id).state),
  );
  if (restored.length === 0) return;
  const proven = ['prove-redis', 'prove-database'].filter((id) => stepRecord(record, id).state === 'done');
  markClock(record, 'data restored', [...proven, ...(proven.length === 0 ? restored : [])].join(' and '));
}

async function traffic(context: StepContext): Promise<void> {
  const { record } = context;
  await runStep(context, 'switch-traffic');
  await runStep(context, 'prove-traffic');
  const { state } = stepRecord(record, 'prove-traffic');
  if (state === 'done') markClock(record, 'traffic verified', 'prove-traffic');
  // Nobody has seen it: the objective counts as not reached.
  else if (state === 'skipped') return;
  else if (record.component === undefined)
    markClock(record, 'traffic verified', 'verification; no load balancer is configured');
  else
    markClock(
      record,
      'component verified',
      `the last proof of ${record.component}; traffic was not looked at`,
    );
}

async function closeOut(context: StepContext): Promise<void> {
  await settleAll([
    measureOutage(context),
    runStep(context, 'protect-database'),
    runStep(context, 'prove-dashboard-edit'),
  ]);
  await runStep(context, 'discard-old-data');
}

async function measureOutage(context: StepContext): Promise<void> {
  const seen = await runStep(context, 'measure-outage');
  if (seen) context.record.witness = seen.witness;
}

/** Waits for all before it throws the first failure: no branch goes on unseen after another has failed. */
async function settleAll(branches: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(branches);
  for (const branch of settled) if (branch.status === 'rejected') throw branch.reason;
}
