import { randomBytes } from 'node:crypto';

/** Our own id of a run, a recovery (`rec`) or a drill (`drl`): sorts by time, and can be read out over a telephone. */
export function runId(kind: 'rec' | 'drl'): string {
  const stamp = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${kind}-${stamp}-${randomBytes(2).toString('hex')}`;
}
