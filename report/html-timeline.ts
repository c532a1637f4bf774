import { achievedRtoMs, rtoBasis, verifiedPoint } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import type { PhaseRecord, RunRecord, StepRecord } from '../domain/run.ts';
import { escape } from './html-parts.ts';

/** The run as a picture: phases and their steps as bars on the time axis of the RTO. */

const WIDTH = 1000;
const LABEL_WIDTH = 190;
const ROW_HEIGHT = 18;
const TOP = 26;
const WITNESS_HEIGHT = 70;

export function timeline(record: RunRecord): string {
  const ran = record.steps.filter((step) => step.startedAt);
  if (ran.length === 0) return '';
  const axis = makeAxis(record);
  const rows = record.phases.flatMap((phase) => {
    const steps = ran.filter((step) => step.phase === phase.phase);
    return steps.length === 0 ? [] : [phaseRow(phase, steps), ...steps.map(stepRow)];
  });
  const bars = rows.map((row, index) => bar(row, index, axis, record)).join('');
  const witnessTop = TOP + rows.length * ROW_HEIGHT + 8;
  const height = witnessTop + (record.witness ? WITNESS_HEIGHT : 0) + 24;
  const note = axis.showsDeadline
    ? ''
    : ` The RTO line lies ${formatDuration(axis.deadlineMs - axis.endMs)} to the right of this picture.`;
  return `<section><h2>Timeline</h2>
<p>Seconds since the disaster ${escape(rtoBasis(record.clock).name)}.${escape(note)}</p>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Steps of the run as bars over time">
${grid(axis, height)}${marks(record, axis, height)}${bars}${clientsSaw(record, axis, witnessTop)}
</svg></section>`;
}

interface Axis {
  readonly startMs: number;
  readonly endMs: number;
  readonly deadlineMs: number;
  readonly showsDeadline: boolean;
  x(timeMs: number): number;
}

/** Begins with the disaster; reaches to the RTO line where that does not squeeze the run into a corner. */
function makeAxis(record: RunRecord): Axis {
  const startMs = Date.parse(rtoBasis(record.clock).at);
  const lastMs = Math.max(
    ...record.steps.map((step) => Date.parse(step.endedAt ?? step.startedAt ?? rtoBasis(record.clock).at)),
  );
  const deadlineMs = startMs + record.objectives.rtoMs;
  const showsDeadline = deadlineMs - startMs <= 3 * (lastMs - startMs);
  const endMs = (showsDeadline ? Math.max(lastMs, deadlineMs) : lastMs) + 1;
  const scale = (WIDTH - LABEL_WIDTH - 20) / (endMs - startMs);
  return {
    startMs,
    endMs,
    deadlineMs,
    showsDeadline,
    x: (timeMs) => LABEL_WIDTH + (timeMs - startMs) * scale,
  };
}

interface Row {
  readonly label: string;
  readonly title: string;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
  readonly colour: string;
  readonly strong: boolean;
}

function phaseRow(phase: PhaseRecord, steps: readonly StepRecord[]): Row {
  const overran = phase.overranAt === undefined ? '' : ', overran';
  return {
    label: phase.phase,
    title: `${phase.phase}: budget ${formatDuration(phase.budgetMs)}${overran}`,
    startedAt: phase.startedAt ?? steps[0]!.startedAt!,
    endedAt: phase.endedAt,
    colour: phase.overranAt === undefined ? '#b9c4d2' : '#d9a441',
    strong: true,
  };
}

const COLOURS: Readonly<Partial<Record<StepRecord['state'], string>>> = {
  done: '#2f6fb3',
  skipped: '#d9a441',
  'by-hand': '#d9a441',
};

function stepRow(step: StepRecord): Row {
  return {
    label: step.id,
    title: `${step.id}: ${step.summary ?? step.state}`,
    startedAt: step.startedAt!,
    endedAt: step.endedAt,
    colour: COLOURS[step.state] ?? '#a4201d',
    strong: false,
  };
}

function bar(row: Row, index: number, axis: Axis, record: RunRecord): string {
  const fromMs = Date.parse(row.startedAt);
  const toMs = Date.parse(row.endedAt ?? record.endedAt ?? row.startedAt);
  const y = TOP + index * ROW_HEIGHT;
  const x = axis.x(fromMs);
  const width = Math.max(2, axis.x(toMs) - x);
  const endX = x + width + 4;
  const style = row.strong ? ' style="font-weight:600"' : '';
  // A mark across the picture must not be read as part of a figure: each has a ground of its own.
  const [labelX, anchor] = endX > WIDTH - 60 ? [x - 4, 'end'] : [endX, 'start'];
  const label = `<text class="figure" x="${labelX.toFixed(1)}" y="${y + 12}" text-anchor="${anchor}"${style}>${formatDuration(toMs - fromMs)}</text>`;
  const name = `<text x="${row.strong ? 0 : 10}" y="${y + 12}"${style}>${escape(row.label)}</text>`;
  const box = `<rect x="${x.toFixed(1)}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 6}" fill="${row.colour}"><title>${escape(row.title)}</title></rect>`;
  return name + box + label;
}

/** Requests of the witness: answered ones upwards in green, failed ones in red below each other's bucket. */
function clientsSaw({ witness }: RunRecord, axis: Axis, top: number): string {
  if (!witness) return '';
  const most = Math.max(1, ...witness.buckets.map((bucket) => bucket.ok + bucket.failed));
  const scale = (WITNESS_HEIGHT - 14) / most;
  const base = top + WITNESS_HEIGHT - 4;
  const bars = witness.buckets.map(({ at, ok, failed }) => {
    const fromX = Math.max(LABEL_WIDTH, axis.x(Date.parse(at)));
    const width = Math.min(WIDTH, axis.x(Date.parse(at) + witness.bucketMs)) - fromX - 0.5;
    if (width <= 0) return '';
    const box = (y: number, count: number, colour: string): string =>
      count === 0
        ? ''
        : `<rect x="${fromX.toFixed(1)}" y="${(y - count * scale).toFixed(1)}" width="${width.toFixed(1)}" height="${(count * scale).toFixed(1)}" fill="${colour}"/>`;
    return box(base, failed, '#a4201d') + box(base - failed * scale, ok, '#7db892');
  });
  return `<text x="0" y="${top + 22}">what clients saw</text><text x="0" y="${top + 38}" style="fill:#a4201d">${witness.failed} of ${witness.requests} failed</text>${bars.join('')}`;
}

function grid(axis: Axis, height: number): string {
  const spanMs = axis.endMs - axis.startMs;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200].map((seconds) => seconds * 1000);
  const everyMs = steps.find((step) => spanMs / step <= 12) ?? spanMs / 10;
  const lines: string[] = [];
  for (let atMs = 0; atMs <= spanMs; atMs += everyMs) {
    const x = axis.x(axis.startMs + atMs).toFixed(1);
    lines.push(
      `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height - 18}" stroke="#e3e6ea"/><text x="${x}" y="12" text-anchor="middle">${atMs / 1000} s</text>`,
    );
  }
  return lines.join('');
}

function marks(record: RunRecord, axis: Axis, height: number): string {
  const lines: string[] = [];
  if (axis.showsDeadline) lines.push(mark(axis.x(axis.deadlineMs), height, '#a4201d', 'RTO'));
  const verified = verifiedPoint(record.clock);
  if (verified && achievedRtoMs(record.clock) !== undefined)
    lines.push(mark(axis.x(Date.parse(verified.at)), height, '#176c3a', verified.name));
  return lines.join('');
}

function mark(x: number, height: number, colour: string, text: string): string {
  const anchor = x > WIDTH - 120 ? 'end' : 'start';
  const shift = anchor === 'end' ? -4 : 4;
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP - 6}" y2="${height - 12}" stroke="${colour}" stroke-width="2" stroke-dasharray="4 3"/><text x="${(x + shift).toFixed(1)}" y="${height - 4}" text-anchor="${anchor}" style="fill:${colour}">${text}</text>`;
}
