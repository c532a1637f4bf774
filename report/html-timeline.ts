import { achievedRtoMs, rtoBasis } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';
import { escape } from './html-parts.ts';

/** The run as a picture: steps as bars in their phases, on the time axis of the RTO. */

const WIDTH = 1000;
const LABEL_WIDTH = 190;
const ROW_HEIGHT = 18;
const TOP = 26;
const WITNESS_HEIGHT = 70;

export function timeline(record: RunRecord): string {
  const ran = record.steps.filter((step) => step.startedAt);
  if (ran.length === 0) return '';
  const axis = makeAxis(record);
  const bars = ran.map((step, index) => bar(step, index, axis, record)).join('');
  const witnessTop = TOP + ran.length * ROW_HEIGHT + 8;
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

function bar(step: StepRecord, index: number, axis: Axis, record: RunRecord): string {
  const fromMs = Date.parse(step.startedAt!);
  const toMs = Date.parse(step.endedAt ?? record.endedAt ?? step.startedAt!);
  const y = TOP + index * ROW_HEIGHT;
  const colour = step.state === 'done' ? '#2f6fb3' : '#a4201d';
  const width = Math.max(2, axis.x(toMs) - axis.x(fromMs));
  const duration = formatDuration(toMs - fromMs);
  const endX = axis.x(fromMs) + width + 4;
  const label =
    endX > WIDTH - 60
      ? `<text x="${(axis.x(fromMs) - 4).toFixed(1)}" y="${y + 12}" text-anchor="end">${duration}</text>`
      : `<text x="${endX.toFixed(1)}" y="${y + 12}">${duration}</text>`;
  return `<text x="0" y="${y + 12}">${escape(step.id)}</text><rect x="${axis.x(fromMs).toFixed(1)}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 6}" fill="${colour}"><title>${escape(`${step.id}: ${step.summary ?? step.state}`)}</title></rect>${label}`;
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
  const verified = record.clock.find((point) => point.name === 'traffic verified');
  if (verified && achievedRtoMs(record.clock) !== undefined)
    lines.push(mark(axis.x(Date.parse(verified.at)), height, '#176c3a', 'traffic verified'));
  return lines.join('');
}

function mark(x: number, height: number, colour: string, text: string): string {
  const anchor = x > WIDTH - 120 ? 'end' : 'start';
  const shift = anchor === 'end' ? -4 : 4;
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP - 6}" y2="${height - 12}" stroke="${colour}" stroke-width="2" stroke-dasharray="4 3"/><text x="${(x + shift).toFixed(1)}" y="${height - 4}" text-anchor="${anchor}" style="fill:${colour}">${text}</text>`;
}
