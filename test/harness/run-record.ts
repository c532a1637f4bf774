import { PHASES, type RunRecord } from '../../domain/run.ts';

/** The record of a run of `acme` from primary to dr, verified a minute after it was declared. */
export function runRecord(changes: Partial<RunRecord> = {}): RunRecord {
  const declaredAt = '2026-01-01T00:00:00.000Z';
  return {
    format: 'tyk-dr/run/v1',
    run: 'rec-20260101-000000-0001',
    runbook: 'recover',
    workflowId: 'run/acme',
    deployment: 'acme',
    tier: 'critical',
    from: 'primary',
    to: 'dr',
    scenario: 'infrastructure',
    reason: 'a test',
    actor: 'tester',
    configDigest: 'c'.repeat(64),
    planDigest: 'p'.repeat(64),
    objectives: { rtoMs: 900_000, rpoMs: 300_000 },
    clock: [
      { name: 'declared', at: declaredAt, source: 'a test' },
      { name: 'started', at: declaredAt, source: 'a test' },
      { name: 'traffic verified', at: '2026-01-01T00:01:00.000Z', source: 'prove-traffic' },
    ],
    phases: PHASES.map((phase) => ({ phase, budgetMs: 60_000 })),
    steps: [],
    proofs: [],
    exceptions: [],
    decisions: [],
    waits: [],
    alarms: [],
    endedAt: '2026-01-01T00:02:00.000Z',
    ...changes,
  };
}
