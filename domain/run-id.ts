/**
 * Our own id of a run, a recovery (`rec`) or a drill (`drl`): sorts by time, and can be read out over a telephone.
 *
 * @param at when it began, UTC ISO
 * @param tail four hexadecimal digits that tell two of one second apart
 */
export function runIdOf(kind: 'rec' | 'drl', at: string, tail: string): string {
  const stamp = at.replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${kind}-${stamp}-${tail}`;
}
