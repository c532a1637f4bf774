import { formatDuration } from '../domain/duration.ts';
import type { RunRecord } from '../domain/run.ts';

/** What happened in a run, in the order in which it happened. Pure. */

export interface LogEntry {
  /** UTC ISO. */
  readonly at: string;
  /** `attempt` is one try of an activity; the rest is what the run itself wrote down. */
  readonly kind: 'clock' | 'phase' | 'attempt' | 'step' | 'wait' | 'decision' | 'alarm' | 'outcome';
  readonly step?: string;
  readonly text: string;
  /** The process that did it, as it called itself. */
  readonly worker?: string;
  readonly queue?: string;
  /** 1 is the first of one call; a step may be called several times. */
  readonly attempt?: number;
  readonly durationMs?: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** By time; what bears the same one stays in its order. */
export function inOrder(entries: readonly LogEntry[]): LogEntry[] {
  return [...entries].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** What the record alone tells: of a run that Temporal has forgotten, all there is. */
export function logOfRecord(record: RunRecord, withSteps: boolean): LogEntry[] {
  const { clock, phases, waits, decisions, alarms, outcome, endedAt, error } = record;
  return [
    ...clock.map(({ name, at, source }) => ({ at, kind: 'clock' as const, text: `${name} (${source})` })),
    ...phases.flatMap(({ phase, startedAt }) =>
      startedAt === undefined
        ? []
        : [{ at: startedAt, kind: 'phase' as const, text: `phase ${phase} begins` }],
    ),
    ...(withSteps ? stepEntries(record) : []),
    ...waits.flatMap(({ for: what, from, until }) => [
      { at: from, kind: 'wait' as const, ...stepOf(record, what), text: `waits for ${what}` },
      ...(until === undefined
        ? []
        : [
            {
              at: until,
              kind: 'wait' as const,
              ...stepOf(record, what),
              text: `no longer waits for ${what}`,
            },
          ]),
    ]),
    ...decisions.map(({ at, kind, step, actor, reason }) => ({
      ...{ at, kind: 'decision' as const, step },
      text: `${kind} ${step}, by ${actor}: ${reason}`,
    })),
    ...alarms.map(({ at, text }) => ({ at, kind: 'alarm' as const, text })),
    ...(outcome === undefined || endedAt === undefined
      ? []
      : [{ at: endedAt, kind: 'outcome' as const, text: error ? `${outcome}: ${error.message}` : outcome }]),
  ];
}

function stepEntries({ steps }: RunRecord): LogEntry[] {
  return steps.flatMap((step): LogEntry[] => {
    if (step.startedAt === undefined) return [];
    const { id, startedAt, endedAt, calls, summary, error, queue } = step;
    const durationMs = endedAt === undefined ? undefined : Date.parse(endedAt) - Date.parse(startedAt);
    const often = calls > 1 ? `, called ${calls} times` : '';
    return [
      {
        ...{ at: endedAt ?? startedAt, kind: 'step', step: id },
        text: `${step.state}${often}${summary === undefined ? '' : `: ${summary}`}`,
        ...(queue === undefined ? {} : { queue }),
        ...(durationMs === undefined ? {} : { durationMs }),
        ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
      },
    ];
  });
}

/** `start-redis: retry or abort` names its step first. */
function stepOf({ steps }: RunRecord, text: string): { step?: string } {
  const name = text.split(':')[0]!;
  return steps.some(({ id }) => id === name) ? { step: name } : {};
}

export function logLines(entries: readonly LogEntry[]): string[] {
  return entries.map(({ at, step, text, worker, attempt, durationMs, error, kind }) => {
    const about = step !== undefined && kind !== 'decision' && kind !== 'wait' ? `${step} ` : '';
    const by = worker === undefined ? '' : `, by ${worker}`;
    const tries = attempt !== undefined && attempt > 1 ? `, attempt ${attempt}` : '';
    const took = durationMs === undefined ? '' : `, ${formatDuration(durationMs)}`;
    const why = error === undefined ? '' : `\n    ${error.code}: ${error.message.split('\n').join('\n    ')}`;
    return `${at}  ${kind.padEnd(8)}  ${about}${text}${tries}${took}${by}${why}`;
  });
}
