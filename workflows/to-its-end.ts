import type { RunRecord } from '../domain/run.ts';
import { close } from './close.ts';
import { giveUp } from './give-up.ts';
import { judge, judgeAtTheEnd } from './judge.ts';
import { untilAborted } from './recover-story.ts';
import { withRtoClock } from './rto-clock.ts';
import type { StepContext } from './step-context.ts';

/** A recovery or a failover to its end, beside its clock: whatever comes of the story is judged, kept and given back. */
export async function toItsEnd(context: StepContext, story: () => Promise<void>): Promise<RunRecord> {
  const { record } = context;
  await withRtoClock(record, async () => {
    try {
      await untilAborted(context, story);
      judgeAtTheEnd(context);
      record.outcome = record.exceptions.length > 0 ? 'RECOVERED_WITH_EXCEPTIONS' : 'RECOVERED';
    } catch (error) {
      record.outcome = await giveUp(context, error);
      judge(context);
    }
  });
  return close(context);
}
