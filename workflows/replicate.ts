import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord } from '../domain/run.ts';
import { close } from './close.ts';
import { giveUp } from './give-up.ts';
import { goOn } from './go-on.ts';
import { openRun } from './open-run.ts';
import { chooseBackup, settleAll, untilAborted } from './recover-story.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';
import { withTelling } from './tell-people.ts';

/**
 * A site is made the standby of the one that serves. Each line is a row of `runbooks/replicate.ts` and an activity of the
 * same name. Nothing is recovered: its outcome says so, and there is no clock.
 */
export async function replicate(input: RecoverInput): Promise<RunRecord> {
  const context = openRun(input);
  const record = await withTelling(context, () => toItsEnd(context));
  return goOn(context, record);
}

async function toItsEnd(context: StepContext): Promise<RunRecord> {
  const { record } = context;
  try {
    await untilAborted(context, () => tell(context));
    record.outcome = record.exceptions.length > 0 ? 'REPLICATED_WITH_EXCEPTIONS' : 'REPLICATED';
  } catch (error) {
    record.outcome = await giveUp(context, error);
  }
  return close(context);
}

async function tell(context: StepContext): Promise<void> {
  const source = await runStep(context, 'check-source');
  await runStep(context, 'check-standby', source?.stores ?? []);
  await chooseBackup(context);
  // That of a recovery from it: nothing is recovered here.
  delete context.record.forecast;
  await runStep(context, 'open-replication');
  await runStep(context, 'hold-traffic');
  await runStep(context, 'claim-standby');
  await settleAll([
    runStep(context, 'copy-database'),
    runStep(context, 'clear-redis'),
    runStep(context, 'restore-dashboard-config'),
    runStep(context, 'restore-gateway-config'),
    runStep(context, 'restore-pump-config'),
  ]);
  await runStep(context, 'mark-standby');
  await settleAll([runStep(context, 'follow-redis'), runStep(context, 'follow-database')]);
  const proven = await runStep(context, 'prove-replicas');
  if (proven) context.record.replicas = proven.standing;
  await runStep(context, 'make-synchronous');
  await runStep(context, 'start-dashboard');
  await runStep(context, 'start-gateways');
  await runStep(context, 'share-traffic');
  const kept = await runStep(context, 'keep-abandoned');
  if (kept?.abandoned) context.record.abandoned = kept.abandoned;
}
