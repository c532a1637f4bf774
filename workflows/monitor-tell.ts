import { incidentKey, NOTICE_EVENTS, type NoticeEvent } from '../domain/notice.ts';
import type { MonitorState } from '../domain/monitor.ts';
import { actedText, monitorLines } from '../domain/monitor-text.ts';
import { allWorkers } from './monitor-act.ts';
import { heldBy, summaryOfWatch, type Watch } from './monitor-state.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** Whom the monitor tells what: a failure at once and again while it lasts, everything else when it has lasted. */

const EVENT_OF: Readonly<Record<MonitorState, NoticeEvent>> = {
  healthy: 'site-healthy',
  degraded: 'site-degraded',
  suspect: 'site-suspect',
  failed: 'site-failed',
};

/** A failure that nobody has dealt with is told again. */
const REMIND_MS = 15 * 60_000;

/** Tells people where there is something new to be told; what comes and goes within `failAfter` is not. */
export function tellChange(watch: Watch): void {
  if (dueMs(watch) > Date.now()) return;
  const summary = summaryOfWatch(watch);
  const { state, deployment, serving } = summary;
  const event = EVENT_OF[state];
  const incident = incidentKey(deployment, 'monitor');
  watch.told = state;
  watch.toldAt = now();
  const done = watch.acted ? `: ${actedText(watch.acted)}` : '';
  // A channel that hangs must not keep the monitor from looking.
  const before = watch.telling;
  const telling = sendNotice(allWorkers(watch), {
    ...{ event, severity: NOTICE_EVENTS[event].severity, deployment, at: now() },
    title: `tyk-dr: ${serving ?? 'the site'} of ${deployment} is ${state}${done}`.slice(0, 400),
    lines: monitorLines(summary, now()),
    about: `the monitor of ${deployment}`,
    ...(state === 'healthy' ? { closes: [incident] } : state === 'failed' ? { opens: incident } : {}),
  });
  watch.telling = before.then(() => telling);
}

/** When something is to be told, Unix milliseconds; never where it is not. */
export function dueMs(watch: Watch): number {
  const { told, toldAt, acted, input, standing } = watch;
  const { state, since } = summaryOfWatch(watch);
  if (state === told)
    return state === 'failed' && toldAt !== undefined && heldBy(watch) === undefined
      ? Date.parse(toldAt) + REMIND_MS
      : Number.POSITIVE_INFINITY;
  // With what was done about it.
  if (state === 'failed') return acted ? 0 : Number.POSITIVE_INFINITY;
  const settled = state === 'healthy' ? 0 : input.settings.rules.failAfterMs;
  return Math.max(Date.parse(since), Date.parse(standing.since)) + settled;
}
