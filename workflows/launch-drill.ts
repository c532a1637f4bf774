import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import {
  defineSearchAttributeKey,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import type { TechnicalDrill } from '../domain/calendar-kinds.ts';
import type { CalendarLaunch } from '../domain/calendar-launch.ts';
import {
  SCHEDULE_ACTOR,
  type CalendarNote,
  type Preparation,
  type PrepareInput,
} from '../domain/calendar-messages.ts';
import { PLANTS, type Plant } from '../domain/drill.ts';
import { lockId } from '../domain/messages.ts';
import { NOTICE_EVENTS } from '../domain/notice.ts';
import type { RecoverInput, RecoverPlan } from '../domain/plan.ts';
import { compileDrill, type DrillRequest } from '../runbooks/drill-plan.ts';
import { PLANTED } from '../runbooks/plants.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import { runIdOf } from '../domain/run-id.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import { askAny } from './ask-any.ts';
import { everyWorker, reasonOf } from './launch.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';
import { attributePairs } from './search-attributes.ts';

/**
 * What a schedule of the calendar starts: asks whether the drill may begin now, waits where it is deferred, compiles its
 * plan of the names that the schedule carries, and starts it under the one id of the deployment. Where a recovery runs,
 * there is no drill.
 */

export interface DrillLaunch extends CalendarLaunch {
  readonly kind: TechnicalDrill;
  readonly shape: DeploymentShape;
}

interface PrepareActivities {
  'prepare-drill': (input: PrepareInput) => Promise<Preparation>;
  'note-drill': (deployment: string, note: CalendarNote) => Promise<void>;
  'digest-plan': (plan: RecoverPlan) => Promise<string>;
}

export interface LaunchedDrill {
  readonly run?: string;
  /** How it ended, or why there was none. */
  readonly outcome: string;
}

export async function launchDrill(input: DrillLaunch): Promise<LaunchedDrill> {
  const dueAt = scheduledAt();
  try {
    const ready = await untilReady(input, dueAt);
    if (ready.then === 'leave') {
      await tell(input, `was not made`, ready.reason, dueAt);
      return { outcome: `not made: ${ready.reason}` };
    }
    return await rehearse(input, dueAt, ready);
  } catch (error) {
    if (!isCancellation(error)) await tell(input, 'could not be started', reasonOf(error), dueAt);
    throw error;
  }
}

/** By the calendar; of one that somebody has triggered by hand, that moment. */
export function scheduledAt(): string {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const at = typedSearchAttributes.get(defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME'));
  return (at ?? startTime).toISOString();
}

type Ready = Exclude<Preparation, { then: 'wait' }>;

async function untilReady(input: DrillLaunch, dueAt: string): Promise<Ready> {
  const { deployment, kind } = input;
  for (let told = ''; ;) {
    const next = await onWorker(input, `May the ${kind} drill begin?`, (call) =>
      call['prepare-drill']({ deployment, drill: kind, dueAt }),
    );
    if (next.then !== 'wait') return next;
    if (next.until !== told) await tell(input, `is deferred until ${next.until}`, next.reason, dueAt);
    told = next.until;
    await sleep(Math.max(1_000, Date.parse(next.until) - Date.now()), { summary: next.reason.slice(0, 200) });
  }
}

async function rehearse(
  input: DrillLaunch,
  dueAt: string,
  ready: Extract<Ready, { then: 'run' }>,
): Promise<LaunchedDrill> {
  const { deployment, kind, priority } = input;
  const plan = planOf(input, dueAt, ready);
  const planDigest = await onWorker(input, 'Digest of the plan', (call) => call['digest-plan'](plan));
  const run = runIdOf('drl', now(), uuid4().slice(0, 4));
  const drill: RecoverInput = {
    ...{ run, plan, planDigest, configDigest: ready.configDigest, declaredAt: now() },
    ...{ actor: SCHEDULE_ACTOR, reason: `the ${kind} drill that was due ${dueAt}` },
  };
  try {
    await executeChild('drill', {
      workflowId: lockId(deployment),
      args: [drill],
      priority: { priorityKey: priority },
      staticSummary: `Drill (${kind}) of ${deployment} by the calendar`,
      memo: { run },
      typedSearchAttributes: new TypedSearchAttributes(attributePairs(runAttributes(run, plan))),
      // Whoever ends this one does not mean to leave a drill half torn down.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
    });
    return { run, outcome: 'RECOVERED' };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return skipped(input, dueAt);
    // How a drill has ended is told by itself: it may have been meant to go red.
    if (error instanceof ChildWorkflowFailure && !isCancellation(error))
      return { run, outcome: reasonOf(error) };
    throw error;
  }
}

async function skipped(input: DrillLaunch, dueAt: string): Promise<LaunchedDrill> {
  const { deployment, kind } = input;
  const reason = `${lockId(deployment)} is held by a recovery or another drill`;
  await onWorker(input, 'Note that the drill was skipped', (call) =>
    call['note-drill'](deployment, {
      ...{ kind: 'drill-skipped', drill: kind, dueAt, reason, actor: SCHEDULE_ACTOR },
    }),
  );
  await tell(input, 'was skipped', reason, dueAt);
  return { outcome: `skipped: ${reason}` };
}

function planOf(
  { kind, shape }: DrillLaunch,
  dueAt: string,
  { scenario, component, plant, participants }: Extract<Ready, { then: 'run' }>,
): RecoverPlan {
  const request: DrillRequest = {
    ...{ type: kind, scenario, participants, end: 'teardown', backup: 'latest' },
    ...{ onFailure: 'abort', decide: 'auto' },
    ...(component === undefined ? {} : { component }),
    scheduled: { schedule: kind, dueAt },
  };
  const plan = compileDrill(shape, request);
  const fault = plant ? anyPlant(plan, shape) : undefined;
  return fault === undefined ? plan : compileDrill(shape, { ...request, plant: fault });
}

/**
 * Of those that this drill would notice. By chance, so that nobody learns to look for one of them; Temporal's chance is
 * the same when a history is replayed.
 */
function anyPlant({ steps }: RecoverPlan, { unplantable = [] }: DeploymentShape): Plant | undefined {
  const fitting = PLANTS.filter(
    (plant) => steps.includes(PLANTED[plant].noticedBy) && !unplantable.includes(plant),
  );
  return fitting[Math.floor(Math.random() * fitting.length)];
}

function onWorker<Answer>(
  input: DrillLaunch,
  summary: string,
  call: (activities: PrepareActivities) => Promise<Answer>,
): Promise<Answer> {
  return askAny<PrepareActivities, Answer>(everyWorker(input), summary, call);
}

async function tell(input: DrillLaunch, what: string, reason: string, dueAt: string): Promise<void> {
  const { deployment, kind } = input;
  await sendNotice(everyWorker(input), {
    ...{ event: 'drill-not-made', severity: NOTICE_EVENTS['drill-not-made'].severity, deployment, at: now() },
    title: `tyk-dr: the ${kind} drill of ${deployment} ${what}`,
    lines: [reason, `It was due ${dueAt}.`],
    about: workflowInfo().workflowId,
  });
}
