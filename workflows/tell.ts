import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  defineSignal,
  defineUpdate,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { formatDuration } from '../domain/duration.ts';
import { NOTICE_EVENTS, type Notice, type NoticeRoute } from '../domain/notice.ts';
import {
  ACKNOWLEDGE,
  ACKNOWLEDGED_SIGNAL,
  acknowledgeObjection,
  NOTICE_SIGNAL,
  OVER_SIGNAL,
  type AcknowledgeArgs,
  type RunNotice,
  type TellInput,
} from '../domain/tell.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** A channel that is down is tried for this long: what it should say is still worth hearing. */
const PATIENCE_MS = 10 * 60_000;
/** A run that was terminated never says that it is over. */
const LONGEST = '30d';
const DETAILS_LIMIT = 15_000;

/**
 * Tells people of one run, beside it: the run signals what there is to tell and goes on. Whatever a channel does here,
 * slow or dead, delays and fails nothing of the recovery. Where nobody acknowledges, the next level of contacts is told.
 * It outlives the run for as long as somebody has still to be told.
 *
 * @returns who was told of what, a line each.
 */
export async function tell({ workers }: TellInput): Promise<string[]> {
  const deliveries = new Map<string, Promise<void>>();
  const opened = new Map<string, Promise<unknown>>();
  const closed = new Set<string>();
  const story: string[] = [];
  let acknowledged = 0;
  let over = false;

  const note = (text: string): void => {
    story.push(`${now()} ${text}`);
    setCurrentDetails(
      story
        .map((line) => `- ${line}`)
        .join('\n')
        .slice(-DETAILS_LIMIT),
    );
  };
  const send = async (notice: Notice, level: number): Promise<NoticeRoute['next']> => {
    const { sent, failed, people, next } = await sendNotice(workers, notice, {
      level,
      patienceMs: PATIENCE_MS,
    });
    const to = sent.length > 0 ? `told ${sent.join(', ')}` : 'told nobody';
    const who = people.length > 0 ? ` for ${people.join(', ')}` : '';
    note([`${notice.title}: ${to}${who}`, ...failed.map((why) => `NOT TOLD ${why}`)].join('; '));
    return next;
  };
  const escalate = async (
    notice: Notice,
    next: NoticeRoute['next'],
    before: number,
    id: string,
  ): Promise<void> => {
    // What has been settled, or has given way to the outcome, wakes nobody up any more.
    const settled = (): boolean =>
      acknowledged > before ||
      (notice.opens !== undefined && closed.has(notice.opens)) ||
      (over && id !== 'outcome');
    for (let upward = next; upward !== undefined;) {
      const { level, afterMs } = upward;
      const summary = `nobody has acknowledged yet: ${notice.title}`.slice(0, 200);
      if (await condition(settled, afterMs, { summary })) return;
      upward = await send(escalated(notice, level, afterMs), level);
    }
  };

  setHandler(defineSignal<[RunNotice]>(NOTICE_SIGNAL), ({ id, notice }) => {
    if (deliveries.has(id)) return;
    const before = acknowledged;
    const { opens, closes = [] } = notice;
    // An incident is closed only after it was opened, however slow that was.
    const first = Promise.all(closes.flatMap((key) => opened.get(key) ?? [])).then(() => send(notice, 1));
    for (const key of closes) closed.add(key);
    if (opens !== undefined) opened.set(opens, first);
    deliveries.set(
      id,
      first.then((next) => escalate(notice, next, before, id)),
    );
  });
  const acknowledge = (actor: string): void => {
    acknowledged += 1;
    note(`acknowledged by ${actor}`);
  };
  setHandler(defineSignal<[string]>(ACKNOWLEDGED_SIGNAL), acknowledge);
  setHandler(defineSignal(OVER_SIGNAL), () => {
    over = true;
  });
  setHandler(
    defineUpdate<string, [AcknowledgeArgs]>(ACKNOWLEDGE),
    ({ actor }) => {
      acknowledge(actor);
      return acknowledgedText(actor);
    },
    { description: ACKNOWLEDGE_DESCRIPTION, validator: refuseNobody },
  );

  await condition(() => over, LONGEST);
  for (let awaited = -1; awaited < deliveries.size;) {
    awaited = deliveries.size;
    await Promise.all([...deliveries.values()]);
  }
  await condition(allHandlersFinished);
  return story;
}

export const ACKNOWLEDGE_DESCRIPTION =
  'Say that you have heard: nobody further is told of what there was until now. Argument: {"actor":"NAME"}';

export const acknowledgedText = (actor: string): string =>
  `acknowledged by ${actor}: nobody further is told of what there was until now`;

/** Synchronous: it validates updates. */
export function refuseNobody(args: unknown): void {
  const refused = acknowledgeObjection(args);
  if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.code);
}

function escalated(notice: Notice, level: number, afterMs: number): Notice {
  const event = 'not-acknowledged';
  return {
    ...notice,
    event,
    severity: NOTICE_EVENTS[event].severity,
    at: now(),
    title: `${notice.title} (nobody has acknowledged for ${formatDuration(afterMs)}; level ${level})`,
  };
}
