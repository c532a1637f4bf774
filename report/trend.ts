import { formatDuration } from '../domain/duration.ts';
import { escape } from './html-parts.ts';

/** Times that were reached, run after run, against their objective, as a picture. Pure. */

export interface TrendPoint {
  readonly at: string;
  readonly label: string;
  readonly ms: number;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [1000, 180, 110, 26];

/** @param points oldest first */
export function trendSvg(name: string, points: readonly TrendPoint[], objectiveMs: number): string {
  if (points.length === 0) return '';
  const top = Math.max(...points.map(({ ms }) => ms)) * 1.15;
  // An objective far above would press every point onto the ground.
  const shown = objectiveMs <= 4 * top;
  const highest = shown ? Math.max(top, objectiveMs * 1.1) : top;
  const y = (ms: number): number => HEIGHT - BOTTOM - (ms / highest) * (HEIGHT - BOTTOM - 16);
  const x = (index: number): number =>
    points.length === 1
      ? (LEFT + WIDTH) / 2
      : LEFT + 20 + (index * (WIDTH - LEFT - 60)) / (points.length - 1);
  const path = points.map(({ ms }, index) => `${x(index).toFixed(1)},${y(ms).toFixed(1)}`).join(' ');
  const every = Math.ceil(points.length / 8);
  const dots = points.map(({ ms, at, label }, index) => {
    const over = ms > objectiveMs;
    const colour = over ? '#a4201d' : '#2f6fb3';
    const day =
      index % every === 0
        ? `<text x="${x(index).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${at.slice(0, 10)}</text><text class="figure" x="${x(index).toFixed(1)}" y="${(y(ms) - 8).toFixed(1)}" text-anchor="middle">${formatDuration(ms)}</text>`
        : '';
    return `<circle cx="${x(index).toFixed(1)}" cy="${y(ms).toFixed(1)}" r="4" fill="${colour}"><title>${escape(`${label}: ${formatDuration(ms)}`)}</title></circle>${day}`;
  });
  const goal = shown
    ? `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(objectiveMs).toFixed(1)}" y2="${y(objectiveMs).toFixed(1)}" stroke="#a4201d" stroke-dasharray="4 3"/><text x="0" y="${(y(objectiveMs) + 4).toFixed(1)}" style="fill:#a4201d">objective ${formatDuration(objectiveMs)}</text>`
    : `<text x="0" y="12" style="fill:#5b6675">objective ${formatDuration(objectiveMs)}, above this picture</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(name)}"><line x1="${LEFT}" x2="${WIDTH}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}" stroke="#d9dde3"/><text x="0" y="${HEIGHT - BOTTOM + 4}">0</text>${goal}<polyline points="${path}" fill="none" stroke="#2f6fb3" stroke-width="1.5"/>${dots.join('')}</svg>`;
}
