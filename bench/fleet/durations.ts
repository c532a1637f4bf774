import { RECOVER_STEPS } from '../../runbooks/recover.ts';

/**
 * How long each step of a simulated recovery takes. The proportions are those of a recovery in the lab (the demo's
 * report in the README; steps that it leaves out take what is left of its 10 seconds), scaled to a whole of one's
 * choice. Pure.
 */

/** Milliseconds. */
const IN_THE_LAB: Readonly<Record<string, number>> = {
  ...{ 'check-backup': 900, 'fence-source': 112, 'restore-redis-data': 250, 'start-redis': 600 },
  ...{ 'prove-redis': 156, 'restore-database-data': 2200, 'start-database': 700, 'prove-database': 1200 },
  ...{ 'start-dashboard': 900, 'prove-dashboard': 82, 'start-gateways': 1500, 'start-pump': 400 },
  ...{ 'prove-gateways': 73, 'prove-authentication': 153, 'prove-analytics': 828, 'prove-traffic': 59 },
  ...{ 'protect-database': 2000, 'measure-performance': 2000, 'prove-security': 500 },
};
const SHORT_MS = 40;

/** Of one step, where the whole recovery is to take so long. */
export function stepMs(step: string, steps: readonly string[], wholeMs: number): number {
  return ((IN_THE_LAB[step] ?? SHORT_MS) * wholeMs) / longestPathMs(steps);
}

/** Along the arrows of the step table, with everything that may go at the same time doing so. */
function longestPathMs(steps: readonly string[]): number {
  const ends = new Map<string, number>();
  for (const { id, after } of RECOVER_STEPS) {
    const from = Math.max(0, ...after.map((before) => ends.get(before) ?? 0));
    ends.set(id, from + (steps.includes(id) ? (IN_THE_LAB[id] ?? SHORT_MS) : 0));
  }
  return Math.max(...ends.values()) + SHORT_MS;
}

/** Some are large and some small: between half and one and a half of the whole, the same in every run of the bench. */
export function wholeMsOf(index: number, wholeMs: number): number {
  return wholeMs * (0.5 + ((index * 37) % 101) / 100);
}
