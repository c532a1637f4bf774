import { achievedRtoMs, rtoBasis, waitedMs } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';

/** A run at a glance, for a terminal: where it is, how long it took, what it waits for. Pure. */

const SIGNS: Readonly<Record<StepRecord['state'], string>> = {
  pending: ' ',
  running: '>',
  waiting: '!',
  done: '+',
  failed: 'x',
  'not-part': '-',
};

/** One line a step, under its phase; then the clock, then what is asked of a person. */
export function liveTable(record: RunRecord, nowMs: number): string[] {
  const lines: string[] = [heading(record)];
  for (const phase of record.phases) {
    const steps = record.steps.filter((step) => step.phase === phase.phase);
    const part = steps.filter((step) => step.state !== 'not-part');
    if (part.length === 0) {
      const what = steps.every((step) => step.notPartOf === 'deployment') ? 'deployment' : 'run';
      lines.push(`  ${phase.phase}: not part of this ${what}`);
      continue;
    }
    const spent = phase.startedAt
      ? formatDuration(end(phase.endedAt, nowMs, record) - Date.parse(phase.startedAt))
      : '';
    const overran = phase.overranAt ? '  OVERRAN' : '';
    lines.push(
      `  ${phase.phase.padEnd(16)} ${spent.padStart(9)} of ${formatDuration(phase.budgetMs)}${overran}`,
    );
    for (const step of part)
      lines.push(
        `   ${SIGNS[step.state]} ${step.id.padEnd(26)}${stepTime(step, nowMs).padStart(9)}  ${remark(step)}`,
      );
  }
  return [...lines, clockLine(record, nowMs), ...asks(record)];
}

/** The state of the RTO clock in one sentence. */
export function clockLine(record: RunRecord, nowMs: number): string {
  const basis = rtoBasis(record.clock);
  const achieved = achievedRtoMs(record.clock);
  const target = formatDuration(record.objectives.rtoMs);
  const waited = waitedMs(record, nowMs);
  const apart = waited > 0 ? `, of which ${formatDuration(waited)} waiting for people` : '';
  if (achieved !== undefined) {
    const verdict = achieved <= record.objectives.rtoMs ? 'within' : 'OVER';
    return `  RTO ${formatDuration(achieved)} of ${target} (${verdict}), counted from ${basis.name} ${basis.at}${apart}`;
  }
  const running = formatDuration(end(record.endedAt, nowMs, record) - Date.parse(basis.at));
  return `  RTO clock ${running} of ${target}, counted from ${basis.name} ${basis.at}${apart}`;
}

/** What a person must do now, with the command to type. */
export function asks(record: RunRecord): string[] {
  return record.steps
    .filter(
      (step) =>
        (step.state === 'waiting' || step.waitsFor !== undefined) && step.state !== 'done' && !record.outcome,
    )
    .flatMap((step) => {
      if (step.state !== 'waiting')
        return [
          `  ! ${step.id} waits for ${step.waitsFor ?? ''}; it goes on by itself when the worker is back`,
        ];
      const confirm =
        step.error?.code === 'NOT_FENCED' ? [`      tyk-dr confirm ${record.run} --reason "..."`] : [];
      return [
        `  ! ${step.id} has failed: ${step.error?.message ?? ''}`,
        `    hint: ${step.error?.hint ?? ''}`,
        '    decide with one of',
        `      tyk-dr retry ${record.run} --reason "..."`,
        ...confirm,
        `      tyk-dr abort ${record.run} --reason "..."`,
      ];
    });
}

function heading(record: RunRecord): string {
  const what = record.component ?? 'everything';
  return `${record.outcome ?? 'RUNNING'}  ${record.run}  ${record.deployment}: ${what} from ${record.from} to ${record.to}`;
}

function stepTime(step: StepRecord, nowMs: number): string {
  if (!step.startedAt) return '';
  return formatDuration((step.endedAt ? Date.parse(step.endedAt) : nowMs) - Date.parse(step.startedAt));
}

function remark(step: StepRecord): string {
  const text = step.state === 'done' ? step.summary : (step.error?.message ?? step.waitsFor);
  return (text ?? '').split('\n')[0]!.slice(0, 110);
}

function end(endedAt: string | undefined, nowMs: number, record: RunRecord): number {
  return Date.parse(endedAt ?? record.endedAt ?? new Date(nowMs).toISOString());
}
