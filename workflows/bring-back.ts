import {
  dashboard,
  database,
  gateways,
  markDataRestored,
  measureTheLoss,
  redis,
  settleAll,
  verification,
} from './recover-story.ts';
import { markClock } from './run-state.ts';
import { runStep } from './run-step.ts';
import type { StepContext } from './step-context.ts';

/** A recovery as a drill rehearses it: as in `recover.ts`, without fence, traffic and what follows it. */
export async function bringBack(context: StepContext): Promise<void> {
  const { record } = context;
  await runStep(context, 'provision-target');
  await runStep(context, 'claim-target');
  await settleAll([redis(context), database(context)]);
  markDataRestored(record);
  await settleAll([dashboard(context), measureTheLoss(context)]);
  await gateways(context);
  await verification(context);
  const { component } = context.input.plan.drill!;
  if (component === undefined)
    markClock(record, 'traffic verified', 'verification on every Gateway; a drill moves no traffic');
  else markClock(record, 'component verified', `the last proof of ${component}`);
}
