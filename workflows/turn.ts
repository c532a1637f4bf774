import { WorkflowExecutionAlreadyStartedError, TypedSearchAttributes } from '@temporalio/common';
import {
  ApplicationFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  condition,
  defineSignal,
  executeChild,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import { achievedRtoMs } from '../domain/clock.ts';
import { FLEET_SIGNALS, type Asking, type Ending, type TurnInput } from '../domain/fleet.ts';
import { rpoRange } from '../domain/loss.ts';
import { lockId } from '../domain/messages.ts';
import { OUTCOME_CLASS, type Outcome, type RunRecord } from '../domain/run.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import { attributePairs } from './search-attributes.ts';

/** One deployment of a fleet: asks for its turn, waits for it, and runs the runbook under the deployment's own lock. */

const askSignal = defineSignal<[Asking]>(FLEET_SIGNALS.ask);
const endedSignal = defineSignal<[string, Ending]>(FLEET_SIGNALS.ended);

export async function turn(input: TurnInput): Promise<Ending> {
  const { fleet, asking } = input;
  let may: boolean | undefined;
  setHandler(defineSignal<[boolean]>(FLEET_SIGNALS.go), (go) => {
    may ??= go;
  });
  const handle = getExternalWorkflowHandle(fleet);
  await handle.signal(askSignal, asking);
  await condition(() => may !== undefined);
  if (!may) return { outcome: 'NOT_STARTED', error: 'the fleet was stopped' };
  const ending = await runAfterDrill(input);
  // A fleet that somebody has ended needs no word.
  await handle.signal(endedSignal, asking.deployment, ending).catch(() => undefined);
  return ending;
}

/** As of a run that a command starts: a worker behind a cut cable takes a task and never answers it. */
const TASK_TIMEOUT_MS = 5_000;

/** A tear-down stops some services and renames some folders. */
const DRILL_PATIENCE_MS = 3 * 60_000;
const DRILL_POLL_MS = 2_000;

/** Whoever began the fleet has told a drill in the way to end: it lets go of the lock within moments. */
async function runAfterDrill(input: TurnInput): Promise<Ending> {
  const untilMs = Date.now() + DRILL_PATIENCE_MS;
  for (;;) {
    const ending = await runToItsEnd(input);
    if (ending !== HELD) return ending;
    const { plan } = input.input;
    const { afterDrill } = input;
    if (afterDrill === undefined || Date.now() > untilMs) {
      const why =
        afterDrill === undefined
          ? 'another run; it was not disturbed'
          : `the drill ${afterDrill}, which did not end`;
      return { outcome: 'NOT_STARTED', error: `${lockId(plan.deployment)} is held by ${why}` };
    }
    await sleep(DRILL_POLL_MS);
  }
}

/** The lock is held by a run that is none of ours. */
const HELD = Symbol('held');

async function runToItsEnd({ fleet, runbook, input }: TurnInput): Promise<Ending | typeof HELD> {
  const { run, plan, reason, actor } = input;
  try {
    const record = (await executeChild(runbook, {
      workflowId: lockId(plan.deployment),
      args: [input],
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      priority: { priorityKey: plan.priority },
      staticSummary: `${runbook} ${plan.deployment} from ${plan.from} to ${plan.to} (${plan.scenario})`,
      staticDetails: `${reason}\n\nStarted by ${actor} as one of \`${fleet}\`. Run \`${run}\`.`,
      memo: { run },
      typedSearchAttributes: new TypedSearchAttributes(attributePairs(runAttributes(run, plan))),
      // Whoever ends the fleet does not mean to break off a recovery.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
    })) as RunRecord;
    return endingOf(record);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return HELD;
    if (error instanceof ChildWorkflowFailure) return endingOfFailure(error);
    throw error;
  }
}

function endingOf(record: RunRecord): Ending {
  const achieved = achievedRtoMs(record.clock);
  const lost = rpoRange(record.losses);
  return {
    outcome: record.outcome ?? 'STUCK',
    ...(achieved === undefined ? {} : { achievedRtoMs: achieved }),
    ...(lost ? { lost: { minMs: lost.minMs, maxMs: lost.maxMs } } : {}),
    ...(record.error === undefined ? {} : { error: short(record.error.message) }),
  };
}

/** A run that did not recover fails with its record; one that was ended by force leaves none. */
function endingOfFailure({ cause, message }: ChildWorkflowFailure): Ending {
  const record =
    cause instanceof ApplicationFailure ? (cause.details?.[0] as RunRecord | undefined) : undefined;
  if (record?.outcome !== undefined && isOutcome(record.outcome)) return endingOf(record);
  return { outcome: 'STUCK', error: short(`ended in Temporal before its end: ${cause?.message ?? message}`) };
}

function isOutcome(name: string): name is Outcome {
  return Object.hasOwn(OUTCOME_CLASS, name);
}

/** A thousand of them travel in one record. */
const SHORT = 200;

function short(text: string): string {
  return text.split('\n')[0]!.slice(0, SHORT);
}
