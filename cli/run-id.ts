import { randomBytes } from 'node:crypto';
import { runIdOf } from '../domain/run-id.ts';

/** An id of our own for a run that begins now, or began at that moment. */
export function runId(kind: 'rec' | 'drl', at = new Date().toISOString()): string {
  return runIdOf(kind, at, randomBytes(2).toString('hex'));
}
