import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord } from '../domain/run.ts';
import { openRun } from './open-run.ts';
import {
  chooseBackup,
  dashboard,
  database,
  gateways,
  markDataRestored,
  measureOutage,
  measurePerformance,
  measureTheLoss,
  redis,
  settleAll,
  verification,
} from './recover-story.ts';
import { markClock, stepRecord } from './run-state.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';
import { withTelling } from './tell-people.ts';
import { toItsEnd } from './to-its-end.ts';

/**
 * The recovery, told in the guide's order. Each line is a row of `runbooks/recover.ts` and an activity of the same
 * name; what is not part of the plan passes by.
 *
 * Returns the record of a recovered run. Any other outcome fails the workflow with that outcome as its type and
 * the record as its detail, so that it shows red wherever Temporal shows it.
 */
export async function recover(input: RecoverInput): Promise<RunRecord> {
  const context = openRun(input);
  return withTelling(context, () => toItsEnd(context, () => tell(context)));
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
  await chooseBackup(context);
  await runStep(context, 'check-target');
  await runStep(context, 'check-other-sites');
  await runStep(context, 'provision-target');
  await runStep(context, 'fence-source');
  await runStep(context, 'hold-traffic');
  await runStep(context, 'claim-target');
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
    measurePerformance(context),
    runStep(context, 'prove-security'),
  ]);
  await runStep(context, 'discard-old-data');
}
