import type { RunSummary } from '../domain/run-summary.ts';

/** What a run has left for the moment in which nobody can be asked. Undefined before its first step. */
export function memoSummary(memo: Record<string, unknown> | undefined): RunSummary | undefined {
  const summary = memo?.['summary'] as Partial<RunSummary> | undefined;
  return Array.isArray(summary?.clock) && Array.isArray(summary.waits) ? (summary as RunSummary) : undefined;
}
