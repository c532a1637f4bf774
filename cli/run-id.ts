import { randomBytes } from 'node:crypto';
import { runIdOf, type RunKind } from '../domain/run-id.ts';

/** An id of our own for a run that begins now, or began at that moment. */
export function runId(kind: RunKind, at = new Date().toISOString()): string {
  return runIdOf(kind, at, randomBytes(2).toString('hex'));
}
