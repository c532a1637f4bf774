import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord } from '../domain/run.ts';
import { goOn } from './go-on.ts';
import { openRun } from './open-run.ts';
import { measureOutage, measurePerformance, measureTheLoss, settleAll } from './recover-story.ts';
import { markClock, stepRecord } from './run-state.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';
import { withTelling } from './tell-people.ts';
import { toItsEnd } from './to-its-end.ts';

/**
 * The standby takes over. Each line is a row of `runbooks/failover.ts` and an activity of the same name; what is not part
 * of the plan passes by. Ends as a recovery does.
 */
export async function failover(input: RecoverInput): Promise<RunRecord> {
  const context = openRun(input);
  const record = await withTelling(context, () => toItsEnd(context, () => tell(context)));
  return goOn(context, record);
}

async function tell(context: StepContext): Promise<void> {
  await handOver(context);
  await settleAll([runStep(context, 'promote-redis'), runStep(context, 'promote-database')]);
  markClock(context.record, 'data restored', 'promote-redis and promote-database');
  // Nobody waits for a figure.
  await settleAll([serve(context), measureTheLoss(context)]);
  await traffic(context);
  await closeOut(context);
}

async function handOver(context: StepContext): Promise<void> {
  const checked = await runStep(context, 'check-replicas');
  if (checked) context.record.replicas = checked.standing;
  await runStep(context, 'check-other-sites');
  await runStep(context, 'drain-source');
  const stopped = await runStep(context, 'stop-writes');
  await runStep(context, 'await-level', stopped?.ends ?? []);
  await runStep(context, 'fence-source');
  await runStep(context, 'take-command');
}

async function serve(context: StepContext): Promise<void> {
  await runStep(context, 'start-dashboard');
  await runStep(context, 'prove-dashboard');
  await settleAll([runStep(context, 'start-gateways'), runStep(context, 'start-pump')]);
  await runStep(context, 'prove-gateways');
  await settleAll([runStep(context, 'prove-apis'), runStep(context, 'prove-authentication')]);
}

async function traffic(context: StepContext): Promise<void> {
  const { record } = context;
  await runStep(context, 'switch-traffic');
  await runStep(context, 'prove-traffic');
  const { state } = stepRecord(record, 'prove-traffic');
  if (state === 'done') markClock(record, 'traffic verified', 'prove-traffic');
  else if (state === 'not-part')
    markClock(record, 'traffic verified', 'prove-gateways; no load balancer is configured');
}

async function closeOut(context: StepContext): Promise<void> {
  await runStep(context, 'retire-source');
  await settleAll([
    measureOutage(context),
    runStep(context, 'prove-analytics'),
    runStep(context, 'protect-database'),
    runStep(context, 'prove-dashboard-edit'),
    measurePerformance(context),
    runStep(context, 'prove-security'),
  ]);
}
