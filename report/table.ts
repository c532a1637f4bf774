import { achievedRtoMs, rtoBasis, waitedTexts } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import { skewText } from '../domain/points.ts';
import { leftOutText } from '../domain/left-out.ts';
import { hasEnded, type PhaseRecord, type RunRecord, type StepRecord } from '../domain/run.ts';
import { buildLines } from './builds.ts';
import { asks } from './asks.ts';

/** A run at a glance, for a terminal: where it is, how long it took, what it waits for. Pure. */

const SIGNS: Readonly<Record<StepRecord['state'], string>> = {
  pending: ' ',
  running: '>',
  waiting: '!',
  done: '+',
  skipped: '/',
  'by-hand': '*',
  failed: 'x',
  'not-part': '-',
};

/** One line a step, under its phase; then the clock, then what is asked of a person. */
export function liveTable(record: RunRecord, nowMs: number): string[] {
  return [
    heading(record),
    ...sourceLine(record),
    ...stepLines(record, nowMs),
    clockLine(record, nowMs),
    ...buildLines(record),
    ...asks(record),
  ];
}

/** What it recovers from, once that is chosen. */
function sourceLine({ set, points = [] }: RunRecord): string[] {
  if (!set) return [];
  const used = (set.snapshots ?? []).map(
    ({ kind, snapshot }) => `, ${kind === 'redis' ? 'Redis' : 'configuration'} from snapshot ${snapshot}`,
  );
  const skew = points.length > 1 ? `; skew ${skewText(points)}` : '';
  return [`  from set ${set.set}${used.join('')}${skew}`];
}

/** The same without what is asked, in at most so many lines: only what happens now has all its steps. */
export function fittedTable(record: RunRecord, nowMs: number, rows: number): string[] {
  const fitted = [stepLines(record, nowMs), currentLines(record, nowMs)].find(
    (lines) => lines.length + 2 <= rows,
  );
  const lines = fitted ?? currentLines(record, nowMs).slice(-Math.max(1, rows - 2));
  return [heading(record), ...lines, clockLine(record, nowMs)];
}

/** Every step under its phase, those that are left out with the reason. */
export function stepLines(record: RunRecord, nowMs: number): string[] {
  return record.phases.flatMap((phase) => {
    const steps = stepsOf(record, phase);
    const reasons = new Set(steps.map((step) => leftOutText(record, step)));
    if (steps.every(({ state }) => state === 'not-part') && reasons.size === 1)
      return [`  ${phase.phase}: ${[...reasons][0]}`];
    return [phaseLine(record, phase, nowMs), ...steps.map((step) => stepLine(record, step, nowMs))];
  });
}

/** What is over in a line a phase, what happens in full, what comes in one line. */
function currentLines(record: RunRecord, nowMs: number): string[] {
  const toCome: string[] = [];
  const lines = record.phases.flatMap((phase) => {
    const steps = stepsOf(record, phase).filter(({ state }) => state !== 'not-part');
    if (steps.length === 0) return [];
    if (steps.every(({ state }) => state === 'pending')) {
      toCome.push(phase.phase);
      return [];
    }
    const line = phaseLine(record, phase, nowMs);
    if (steps.every(({ state }) => state === 'done')) return [`${line}  + ${steps.length} steps`];
    return [line, ...steps.map((step) => stepLine(record, step, nowMs))];
  });
  return toCome.length > 0 ? [...lines, `  to come: ${toCome.join(', ')}`] : lines;
}

/** The state of the RTO clock in one sentence. */
export function clockLine(record: RunRecord, nowMs: number): string {
  const basis = rtoBasis(record.clock);
  const achieved = achievedRtoMs(record.clock);
  const target = formatDuration(record.objectives.rtoMs);
  const waited = waitedTexts(record, nowMs);
  const apart = waited.length > 0 ? `, of it waiting ${waited.join(', ')}` : '';
  if (achieved !== undefined) {
    const verdict = achieved <= record.objectives.rtoMs ? 'within' : 'OVER';
    return `  RTO ${formatDuration(achieved)} of ${target} (${verdict})${apart}, counted from ${basis.name} ${basis.at}`;
  }
  const running = formatDuration(end(record.endedAt, nowMs, record) - Date.parse(basis.at));
  return `  RTO clock ${running} of ${target}${apart}, counted from ${basis.name} ${basis.at}`;
}

function heading(record: RunRecord): string {
  const whole = record.component ?? 'everything';
  // At a glance: nothing has happened.
  const what =
    record.drill === undefined ? whole : `DRILL (${record.drill.type}), ${record.drill.component ?? whole}`;
  if (record.runbook === 'replicate')
    return `${record.outcome ?? 'RUNNING'}  ${record.run}  ${record.deployment}: ${record.to} is made to follow ${record.from}`;
  return `${record.outcome ?? 'RUNNING'}  ${record.run}  ${record.deployment}: ${what} from ${record.from} to ${record.to}`;
}

function stepsOf(record: RunRecord, { phase }: PhaseRecord): StepRecord[] {
  return record.steps.filter((step) => step.phase === phase);
}

function phaseLine(record: RunRecord, phase: PhaseRecord, nowMs: number): string {
  const spent = phase.startedAt
    ? formatDuration(end(phase.endedAt, nowMs, record) - Date.parse(phase.startedAt))
    : '';
  const overran = phase.overranAt ? '  OVERRAN' : '';
  return `  ${phase.phase.padEnd(16)} ${spent.padStart(9)} of ${formatDuration(phase.budgetMs)}${overran}`;
}

function stepLine(record: RunRecord, step: StepRecord, nowMs: number): string {
  return `   ${SIGNS[step.state]} ${step.id.padEnd(26)}${stepTime(step, nowMs).padStart(9)}  ${remark(record, step)}`;
}

function stepTime(step: StepRecord, nowMs: number): string {
  if (!step.startedAt) return '';
  return formatDuration((step.endedAt ? Date.parse(step.endedAt) : nowMs) - Date.parse(step.startedAt));
}

function remark(record: RunRecord, step: StepRecord): string {
  if (step.state === 'not-part') return leftOutText(record, step);
  const text = hasEnded(step) ? summary(step) : (step.error?.message ?? step.waitsFor);
  return (text ?? '').split('\n')[0]!.slice(0, 110);
}

/** What came of a step, and what it stands on where a person has stood in for it. */
function summary({ summary: said, reliesOn }: StepRecord): string {
  return [said ?? '', ...(reliesOn ? [`relies on ${reliesOn.join(', ')}`] : [])].filter(Boolean).join('; ');
}

function end(endedAt: string | undefined, nowMs: number, record: RunRecord): number {
  return Date.parse(endedAt ?? record.endedAt ?? new Date(nowMs).toISOString());
}
