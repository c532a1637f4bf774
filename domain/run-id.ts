/** What a run is, as its id begins: a recovery, a drill, a failover, or one that makes a site follow another. */
export const RUN_KINDS = ['rec', 'drl', 'fo', 'rep'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/**
 * Our own id of a run: sorts by time, and can be read out over a telephone.
 *
 * @param at when it began, UTC ISO
 * @param tail four hexadecimal digits that tell two of one second apart
 */
export function runIdOf(kind: RunKind, at: string, tail: string): string {
  const stamp = at.replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${kind}-${stamp}-${tail}`;
}

const KIND = new RegExp(`^(?:${RUN_KINDS.join('|')})-`);

export const isRunId = (text: string): boolean => KIND.test(text);

/** When it began, and the tail: what runs are sorted by, whatever they are. */
export const momentOfRun = (run: string): string => run.replace(KIND, '');
