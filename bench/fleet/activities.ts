import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { StepInput } from '../../domain/plan.ts';
import type { StepResult } from '../../domain/run.ts';
import { SECURITY_CHECKS } from '../../domain/security-checks.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { stepMs, wholeMsOf } from './durations.ts';
import { indexOf } from './members.ts';

/** Every activity of a recovery, which takes its time, answers as one that went well, and does nothing. */

type Fake = (input: StepInput) => Promise<StepResult>;

/** @param log a file that gets a line whenever a step begins and ends: what was done twice shows there */
export function simulatedActivities(log: string, wholeMs: number): Record<string, Fake> {
  return Object.fromEntries(
    RECOVER_STEPS.map(({ id }): [string, Fake] => [
      id,
      async ({ run, plan }) => {
        note(log, 'begin', run, id);
        await working(stepMs(id, plan.steps, wholeMsOf(indexOf(plan.deployment), wholeMs)));
        note(log, 'end', run, id);
        return { summary: SENTENCE, proofs: proofsOf(id), ...RESULTS[id] };
      },
    ]),
  );
}

function note(log: string, what: string, run: string, step: string): void {
  appendFileSync(log, `${Date.now()} ${what} ${run} ${step}\n`);
}

/** Beats as real ones do: a dead worker is missed by it. */
const BEAT_MS = 1_500;

async function working(ms: number): Promise<void> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), BEAT_MS);
  await sleep(ms, undefined, { signal: context.cancellationSignal }).finally(() => clearInterval(beat));
}

/** As long as what real steps say. */
const SENTENCE = '21909 keys, 4678 with an expiry, restored beside the old data and switched in; all equal';

function proofsOf(id: string): NonNullable<StepResult['proofs']> {
  if (!id.startsWith('prove-')) return [];
  return Array.from({ length: 5 }, (_, index) => ({
    name: `${id}: what it shows, number ${index + 1}`,
    ...{ verdict: 'pass' as const, expected: 'equal to the manifest', actual: 'equal to the manifest' },
  }));
}

const SET = {
  ...{ set: '20261124T031500Z-1f2e', site: 'primary', createdAt: '2026-11-24T03:15:00.000Z' },
  ...{ verified: true, bytes: 1_000_000, versions: {} },
};
const LOSS = {
  ...{ newestJournalled: 1, newestRecovered: 1, lost: 0, holes: 0, holesFrom: 1, minMs: 0, maxMs: 0 },
};
const FIGURES = {
  ...{ fromAt: '2026-01-01T00:00:00.000Z', untilAt: '2026-01-01T00:00:10.000Z', requests: 500 },
  ...{ availabilityPercent: 100, errorPercent: 0, p50Ms: 2, p95Ms: 5, p99Ms: 9, requestsPerSecond: 50 },
};

const RESULTS: Readonly<Record<string, object>> = {
  'check-backup': { set: SET, forecast: { totalMs: 10_000, parts: [] }, points: [] },
  'measure-loss': {
    losses: [
      { store: 'redis', ...LOSS },
      { store: 'database', ...LOSS },
    ],
  },
  'measure-performance': { figures: FIGURES },
  'prove-security': {
    proofs: SECURITY_CHECKS.map((name) => ({ name, verdict: 'pass', expected: 'so', actual: 'so' })),
  },
};
