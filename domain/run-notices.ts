import { achievedRtoMs, rtoBasis } from './clock.ts';
import type { Wait } from './decision.ts';
import { asDrill } from './drill-notice.ts';
import { formatDuration } from './duration.ts';
import { incidentKey, NOTICE_EVENTS, type Notice, type NoticeEvent, type Severity } from './notice.ts';
import type { Outcome, RunRecord, StepRecord } from './run.ts';
import type { RunNotice } from './tell.ts';

/**
 * Everything that people are to be told of a run, as its record stands: a pure list, in the order of its making, each
 * with an id of its own. Whoever has told some of them compares ids, so that none is told twice.
 *
 * @param over whether the outcome is the last word: the close of a run can still lower it.
 */
export function noticesOf(record: RunRecord, over: boolean): RunNotice[] {
  const told = [
    declared(record),
    ...record.waits.flatMap((wait, index) => waitNotices(record, wait, index)),
    ...record.steps.flatMap((step) => workerNotices(record, step)),
    ...record.alarms.flatMap((alarm) => alarmNotice(record, alarm.text, alarm.at) ?? []),
  ];
  const all = over && record.outcome !== undefined ? [...told, outcomeNotice(record, record.outcome)] : told;
  return record.drill === undefined ? all : all.map((each) => asDrill(record, each));
}

type Fields = Pick<Notice, 'at' | 'title' | 'lines'> & Partial<Notice>;

function notice(record: RunRecord, id: string, event: NoticeEvent, fields: Fields): RunNotice {
  const { deployment, run } = record;
  return {
    id,
    notice: { event, severity: NOTICE_EVENTS[event].severity, deployment, about: run, ...fields },
  };
}

const keyOf = ({ deployment, run }: RunRecord, ...rest: string[]): string =>
  incidentKey(deployment, run, ...rest);

function declared(record: RunRecord): RunNotice {
  const { deployment, component, from, to, actor, reason, scenario, clock, run } = record;
  return notice(record, 'declared', 'declared', {
    // The clock of a simulation begins with its disaster, which nobody has declared yet.
    at: (clock.find(({ name }) => name === 'declared') ?? clock[0])!.at,
    title: `tyk-dr: recovery of ${deployment} from ${from} to ${to} was started by ${actor}`,
    lines: [
      `${component ?? 'everything'}, scenario ${scenario}: ${reason}`,
      rtoLine(record),
      followLine(run),
      ackLine(run),
    ],
    opens: keyOf(record),
  });
}

/** Whoever is woken must see how much time is left. */
function rtoLine({ clock, objectives }: RunRecord): string {
  const deadline = new Date(Date.parse(rtoBasis(clock).at) + objectives.rtoMs).toISOString();
  return `RTO ${formatDuration(objectives.rtoMs)}: it breaches at ${deadline}`;
}

const followLine = (run: string): string => `follow it: tyk-dr status ${run} --watch`;
const ackLine = (run: string): string => `say that you have heard: tyk-dr ack ${run}`;

/** Where it stands, for news of time: what runs, and what waits for whom. */
function standingLines({ steps, waits }: RunRecord): string[] {
  const waiting = waits.filter(({ until }) => until === undefined).map((wait) => `it waits: ${wait.for}`);
  const running = steps.filter(({ state }) => state === 'running').map(({ id }) => id);
  return [...waiting, ...(running.length > 0 ? [`under way: ${running.join(', ')}`] : [])];
}

const WAIT_EVENTS: Readonly<Record<string, NoticeEvent>> = {
  approval: 'approval-wanted',
  decision: 'decision-wanted',
  pause: 'paused',
};

function waitNotices(record: RunRecord, wait: Wait, index: number): RunNotice[] {
  const { deployment, run, steps } = record;
  const event = WAIT_EVENTS[wait.kind ?? 'decision'] ?? 'decision-wanted';
  const step = steps.find(({ id }) => id === wait.for.split(':')[0]);
  const key = keyOf(record, 'wait', String(index + 1));
  const error = step?.error && wait.until === undefined ? [step.error.message, step.error.hint] : [];
  const begun = notice(record, `wait-${index + 1}`, event, {
    at: wait.from,
    title: `tyk-dr: ${deployment} waits: ${wait.for}`.slice(0, 300),
    lines: [
      ...error,
      rtoLine(record),
      `what to type: tyk-dr status ${run}`,
      ...(NOTICE_EVENTS[event].acknowledge ? [ackLine(run)] : []),
    ],
    opens: key,
  });
  if (wait.until === undefined) return [begun];
  const lasted = formatDuration(Date.parse(wait.until) - Date.parse(wait.from));
  const ended = notice(record, `wait-${index + 1}-over`, 'wait-over', {
    at: wait.until,
    title: `tyk-dr: ${deployment} no longer waits: ${wait.for}`.slice(0, 300),
    lines: [`It waited ${lasted}.`, ...decisionSince(record, wait)],
    closes: [key],
  });
  return [begun, ended];
}

/** Whoever decided while it waited. */
function decisionSince({ decisions }: RunRecord, { from, until }: Wait): string[] {
  return decisions
    .filter(({ at }) => at >= from && (until === undefined || at <= until))
    .map(({ kind, step, actor, reason }) => `${kind} ${step}, by ${actor}: ${reason}`);
}

/** Once a run and step: a worker that is started again and again is one piece of news. */
function workerNotices(record: RunRecord, { id, queue, awaySince, cameBackAt }: StepRecord): RunNotice[] {
  const since = awaySince ?? cameBackAt;
  if (since === undefined) return [];
  const { deployment, run } = record;
  const key = keyOf(record, 'worker', id);
  const missing = notice(record, `worker-missing-${id}`, 'worker-missing', {
    at: since,
    title: `tyk-dr: ${deployment}: no worker answers on ${queue ?? 'its queue'}: ${id} must wait`,
    lines: ['It goes on by itself when the worker is back.', `what to start: tyk-dr status ${run}`],
    opens: key,
  });
  if (cameBackAt === undefined) return [missing];
  const back = notice(record, `worker-back-${id}`, 'wait-over', {
    at: cameBackAt,
    title: `tyk-dr: ${deployment}: a worker has taken ${id}`,
    lines: [`run ${run}`],
    closes: [key],
  });
  return [missing, back];
}

/** Undefined where the alarm is told as something else. */
function alarmNotice(record: RunRecord, text: string, at: string): RunNotice | undefined {
  const percent = /^(50|80)% of the RTO/.exec(text)?.[1];
  const breached = /^RTO of .* breached/.test(text);
  const phase = /^phase (\S+) overran/.exec(text)?.[1];
  const { deployment, run } = record;
  const lines = [...standingLines(record), rtoLine(record), followLine(run)];
  const fields = { at, title: `tyk-dr: ${deployment}: ${text}`, lines };
  if (breached)
    return notice(record, 'rto-100', 'rto-100', {
      ...fields,
      lines: [...standingLines(record), followLine(run), ackLine(run)],
      opens: keyOf(record, 'rto'),
    });
  if (percent !== undefined)
    return notice(record, `rto-${percent}`, percent === '50' ? 'rto-50' : 'rto-80', fields);
  return phase === undefined ? undefined : notice(record, `phase-${phase}`, 'phase-overrun', fields);
}

const OUTCOME_SEVERITY: Readonly<Record<Outcome, Severity>> = {
  RECOVERED: 'info',
  RECOVERED_WITH_EXCEPTIONS: 'warning',
  WALKED_THROUGH: 'info',
  WALKED_THROUGH_WITH_GAPS: 'warning',
  REPLICATED: 'info',
  REPLICATED_WITH_EXCEPTIONS: 'warning',
  REFUSED: 'warning',
  FAILED_UNDONE: 'critical',
  ABORTED: 'critical',
  STUCK: 'critical',
};

function outcomeNotice(record: RunRecord, outcome: Outcome): RunNotice {
  const severity = OUTCOME_SEVERITY[outcome];
  const achieved = achievedRtoMs(record.clock);
  const target = formatDuration(record.objectives.rtoMs);
  const own = keyOf(record);
  const opened = noticesOf(record, false).flatMap((each) => each.notice.opens ?? []);
  // What ended badly stays an open incident: somebody has to do something.
  const stays = severity === 'critical';
  return notice(record, 'outcome', 'outcome', {
    severity,
    at: record.endedAt ?? record.clock.at(-1)!.at,
    title: `tyk-dr: ${outcome}: ${record.deployment} from ${record.from} to ${record.to}`,
    lines: [
      achieved === undefined
        ? `traffic was not verified; RTO ${target} not reached`
        : `RTO ${formatDuration(achieved)} of ${target}, ${achieved <= record.objectives.rtoMs ? 'MET' : 'MISSED'}`,
      ...(record.error ? [record.error.message, record.error.hint] : []),
      ...record.exceptions.map((exception) => `exception: ${exception}`),
      `the report: tyk-dr report ${record.run}`,
    ],
    ...(stays ? { opens: own } : {}),
    closes: opened.filter((key) => !stays || key !== own),
  });
}
