import { whoAndWhyProblem, type ArgumentProblem } from './decision.ts';
import { MONITOR_PAUSE } from './monitor.ts';
import { shown } from './plain-text.ts';

const DAY_MS = 86_400_000;
/** Longer is no maintenance: stop it. */
export const LONGEST_PAUSE_MS = 7 * DAY_MS;

/** What is wrong with the argument of an update; undefined where nothing is. Takes anything that somebody may paste. */
export function monitorArgsProblem(update: string, args: unknown): ArgumentProblem | undefined {
  const problem = whoAndWhyProblem(args);
  if (problem || update !== MONITOR_PAUSE) return problem;
  const { forMs } = args as { readonly forMs?: unknown };
  if (typeof forMs === 'number' && forMs > 0 && forMs <= LONGEST_PAUSE_MS) return undefined;
  return { argument: 'forMs', value: shown(forMs ?? ''), expected: 'milliseconds, at most seven days' };
}
