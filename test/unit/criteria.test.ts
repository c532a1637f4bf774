import { describe, expect, test } from 'vitest';
import type { CriterionId, PlannedCriterion } from '../../domain/criteria.ts';
import { isPublishedDefault } from '../../domain/default-secrets.ts';
import { criteriaExceptions, judgeCriteria } from '../../domain/judge-criteria.ts';
import type { RunRecord, StepRecord } from '../../domain/run.ts';
import { checksOf } from '../../domain/run-checks.ts';
import { NOT_IN_A_DRILL, SECURITY_CHECKS } from '../../domain/security-checks.ts';
import { figuresOf, sloResults, type Sample } from '../../domain/service-level.ts';
import { htmlReport } from '../../report/html.ts';
import { textReport } from '../../report/text.ts';
import { plannedCriteria } from '../../runbooks/criteria.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { FAST, NO_LOSS } from '../harness/recover-input.ts';
import { runRecord } from '../harness/run-record.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

const PLAN = compilePlan(FULL_SHAPE, REQUEST);
const PLANNED = PLAN.criteria!;

const step = (id: string, state: StepRecord['state'] = 'done'): StepRecord => ({
  ...{ id, phase: 'verification', state, calls: 1 },
});
const proof = (name: string, verdict: 'pass' | 'fail' | 'not-measured', of = 'prove-security') => ({
  ...{ name, verdict, step: of, expected: 'so', actual: verdict === 'pass' ? 'so' : 'otherwise' },
});

/** Of which all five hold. */
const GOOD = runRecord({
  steps: PLAN.steps.map((id) => step(id)),
  losses: NO_LOSS,
  performance: { after: FAST },
  proofs: [
    ...SECURITY_CHECKS.map((check) => proof(`${check}: here`, 'pass')),
    proof('keys', 'pass', 'prove-redis'),
  ],
});

function judged(changes: Partial<RunRecord> = {}): Record<string, { verdict: string; found: string }> {
  const record = { ...GOOD, ...changes };
  return Object.fromEntries(judgeCriteria(record, PLANNED).map((each) => [each.id, each]));
}

describe('the criteria of a plan', () => {
  test('are all five of the guide’s, each with its limit, before anything runs', () => {
    expect(PLANNED.map(({ id, limit }) => [id, limit])).toEqual([
      ['recovery-time', 'within 15 min 00 s'],
      ['data-loss', 'at most 5 min 00 s'],
      ['functionality', expect.stringContaining('prove-analytics')],
      ['performance', 'availability at least 99 %, p95 at most 250 ms'],
      ['security', SECURITY_CHECKS.join(', ')],
    ]);
    expect(PLANNED[2]!.limits['steps']).not.toContain('prove-security');
  });

  test('leave out what it does not touch: where no store is restored, nothing can be lost', () => {
    const { criteria } = compilePlan(FULL_SHAPE, { ...REQUEST, to: 'primary', component: 'gateway' });
    expect(criteria!.map(({ id }) => id)).toEqual([
      ...['recovery-time', 'functionality', 'performance', 'security'],
    ]);
  });

  test('of a drill do not ask whether clients can reach a site that has none', () => {
    const drill = {
      type: 'full',
      scenario: 'infrastructure',
      end: 'teardown',
      limitMs: 1,
      participants: [],
    } as const;
    const security = plannedCriteria(FULL_SHAPE, { ...PLAN, drill }).at(-1)!;
    expect(SECURITY_CHECKS.filter((check) => !security.limit.includes(check))).toEqual(NOT_IN_A_DRILL);
  });
});

describe('a verdict', () => {
  test('is pass for each where all that was planned was measured and holds', () => {
    expect(Object.values(judged()).map(({ verdict }) => verdict)).toEqual(Array(5).fill('pass'));
    const record = { ...GOOD, criteria: judgeCriteria(GOOD, PLANNED) };
    expect(criteriaExceptions(record)).toEqual([]);
  });

  const skipped = (id: string) => ({
    steps: GOOD.steps.map((row) => (row.id === id ? step(id, 'skipped') : row)),
  });
  const late = (at: string) => [...GOOD.clock.slice(0, 2), { ...GOOD.clock[2]!, at }];

  test.each<[string, CriterionId, Partial<RunRecord>, 'fail' | 'not-measured', string]>([
    ['too late', 'recovery-time', { clock: late('2026-01-01T00:15:01.000Z') }, 'fail', '15 min 01 s'],
    ['never', 'recovery-time', { clock: GOOD.clock.slice(0, 2) }, 'fail', 'not reached'],
    [
      ...(['never looked at', 'recovery-time'] as const),
      { clock: GOOD.clock.slice(0, 2), ...skipped('prove-traffic') },
      ...(['not-measured', 'nobody has looked'] as const),
    ],
    [
      'too much',
      'data-loss',
      { losses: [{ ...NO_LOSS[0]!, minMs: 300_001, maxMs: 400_000 }] },
      'fail',
      'to 6 min',
    ],
    [
      ...(['perhaps too much', 'data-loss'] as const),
      { losses: [{ ...NO_LOSS[0]!, maxMs: 300_001 }] },
      ...(['not-measured', 'it may be more'] as const),
    ],
    [
      ...(['of one store unknown', 'data-loss'] as const),
      { losses: [NO_LOSS[0]!, { store: 'database', notMeasured: 'no journal' }] },
      ...(['not-measured', 'no journal'] as const),
    ],
    ['that nobody measured', 'data-loss', { losses: [] }, 'not-measured', 'not measured'],
    [
      ...(['with a proof that failed', 'functionality'] as const),
      { proofs: [...GOOD.proofs, proof('loaded APIs', 'fail', 'prove-gateways')] },
      ...(['fail', 'loaded APIs: expected so, found otherwise'] as const),
    ],
    ['with a step left out', 'functionality', skipped('prove-apis'), 'not-measured', 'prove-apis'],
    ['without any proof', 'functionality', { proofs: [] }, 'not-measured', 'no proof was made'],
    [
      ...(['slower than promised', 'performance'] as const),
      { performance: { after: { ...FAST, p95Ms: 251 } } },
      ...(['fail', 'p95 251 ms'] as const),
    ],
    [
      ...(['of which a share was never served', 'performance'] as const),
      { performance: { after: { ...FAST, p95Ms: null } } },
      ...(['fail', 'p95 not served'] as const),
    ],
    [
      'of before and during only',
      'performance',
      { performance: { before: FAST } },
      'not-measured',
      'not measured',
    ],
    [
      ...(['with a revoked key that works', 'security'] as const),
      { proofs: [...GOOD.proofs, proof('revoked keys stay refused: gw1: old key', 'fail')] },
      ...(['fail', 'revoked keys stay refused: gw1: old key: expected so'] as const),
    ],
    [
      ...(['with one check not looked at', 'security'] as const),
      { proofs: GOOD.proofs.filter(({ name }) => !name.startsWith('keys are hashed')) },
      ...(['not-measured', 'keys are hashed: not measured'] as const),
    ],
    [
      ...(['with one check looked at in part', 'security'] as const),
      { proofs: [...GOOD.proofs, proof('no default secrets: gw2', 'not-measured')] },
      ...(['not-measured', 'no default secrets: otherwise'] as const),
    ],
  ])('%s: %s', (_what, id, changes, verdict, found) => {
    const all = judged(changes);
    expect(all[id]).toMatchObject({ verdict, found: expect.stringContaining(found) as string });
    // And of no other that does not rest on the same.
    const own = [id, 'functionality', 'security'];
    expect(
      Object.entries(all).filter(([other, each]) => !own.includes(other) && each.verdict !== 'pass'),
    ).toEqual([]);
  });

  test('of nothing at all is never pass', () => {
    const empty = runRecord({ clock: GOOD.clock.slice(0, 2) });
    expect(judgeCriteria(empty, PLANNED).filter(({ verdict }) => verdict === 'pass')).toEqual([]);
    const without: PlannedCriterion[] = PLANNED.map((each) => ({ ...each, limits: {} }));
    expect(judgeCriteria(GOOD, without).map(({ id, verdict }) => [id, verdict])).toEqual([
      ['recovery-time', 'fail'],
      ['data-loss', 'not-measured'],
      ['functionality', 'not-measured'],
      ['performance', 'not-measured'],
      ['security', 'not-measured'],
    ]);
  });
});

describe('what keeps a run from plain RECOVERED', () => {
  const exceptions = (changes: Partial<RunRecord>): string[] => {
    const record = { ...GOOD, ...changes };
    return criteriaExceptions({ ...record, criteria: judgeCriteria(record, PLANNED) });
  };

  test.each<[string, Partial<RunRecord>, number]>([
    ['a failed performance', { performance: { after: { ...FAST, availabilityPercent: 98 } } }, 1],
    ['performance that was not measured does not', { performance: {} }, 0],
    ['security that was not measured', { proofs: GOOD.proofs.slice(1) }, 1],
    ['a loss that nobody measured', { losses: [] }, 1],
    ['a loss is told store by store already', { losses: [{ ...NO_LOSS[0]!, minMs: 4e5, maxMs: 4e5 }] }, 0],
    [
      'a skipped step is told already',
      {
        proofs: [GOOD.proofs.at(-1)!],
        steps: GOOD.steps.map((row) => ({
          ...row,
          state: row.id === 'prove-security' ? 'skipped' : row.state,
        })),
      },
      0,
    ],
  ])('%s', (_what, changes, count) => {
    expect(exceptions(changes)).toHaveLength(count);
  });

  test('is a finding once, under a name that a later run can close', () => {
    const record = {
      ...GOOD,
      performance: { after: { ...FAST, p95Ms: 900 } },
      outcome: 'RECOVERED_WITH_EXCEPTIONS' as const,
    };
    const criteria = judgeCriteria(record, PLANNED);
    const checks = checksOf({ ...record, criteria, exceptions: criteriaExceptions({ ...record, criteria }) });
    const found = checks.filter(({ verdict }) => verdict !== 'pass');
    expect(found.map(({ check, severity }) => [check, severity])).toEqual([
      ['criterion/performance', 'high'],
    ]);
    expect(checks.find(({ check }) => check === 'criterion/security')?.verdict).toBe('pass');
  });
});

describe('reports', () => {
  test('say verdict, what was found and the limit of each, and what was seen before, during and after', () => {
    const losses = [{ ...NO_LOSS[0]!, maxMs: 300_001 }];
    const record = { ...GOOD, losses, performance: { before: FAST, after: { ...FAST, p95Ms: 900 } } };
    const told = { ...record, criteria: judgeCriteria(record, PLANNED) };
    const [text, html] = [textReport(told), htmlReport(told).replaceAll(/<[^>]+>/g, ' ')];
    expect(text).toMatch(/recovery-time\s+PASS/);
    expect(text).toMatch(/data-loss\s+NOT MEASURED/);
    expect(text).toMatch(/performance\s+FAIL\W+p95 900 ms/);
    // There the verdict stands last, in its colour.
    expect(html).toMatch(/recovery-time\s+within 15 min 00 s\s+1 min 00 s\s+PASS/);
    expect(html).toMatch(/p95 at most 250 ms\s+p95 900 ms\s+FAIL/);
    for (const shown of [text, html]) {
      expect(shown).toContain('p95 at most 250 ms');
      expect(shown).toMatch(/before\s+500 requests/);
      expect(shown).toMatch(/during\s+not measured: no witness saw it/);
    }
  });
});

describe('figures', () => {
  const sample = (ms: number, available = true): Sample => ({ ms, available, right: available });

  test('count a request that was not served as slower than any that was, however fast it was turned away', () => {
    const samples = [
      ...Array.from({ length: 97 }, (_, index) => sample(index + 1)),
      ...[1, 1, 1].map((ms) => sample(ms, false)),
    ];
    expect(figuresOf(samples, 0, 10_000)).toMatchObject({
      ...{ requests: 100, availabilityPercent: 97, errorPercent: 3, requestsPerSecond: 9.7 },
      ...{ p50Ms: 50, p95Ms: 95, p99Ms: null },
    });
    expect(figuresOf([], 0, 10_000)).toBeUndefined();
  });

  test.each([
    [{ availabilityPercent: 100.0 }, true],
    [{ availabilityPercent: 99.99, p50Ms: 2 }, true],
    [{ p50Ms: 1.9 }, false],
    [{ errorPercent: 0 }, true],
    [{ requestsPerSecond: 51 }, false],
    [{ requestsPerSecond: 50 }, true],
  ])('are held against %j', (slos, met) => {
    expect(sloResults(FAST, slos).every((each) => each.met)).toBe(met);
    expect(sloResults(FAST, slos)).toHaveLength(Object.keys(slos).length);
  });
});

test.each([
  ['352d20ee67be67f6340b4c0605b044b7', true],
  ['CHANGE_ME', true],
  ['12345', true],
  ['f3b1c0ffee0d4a7c9e', false],
])('%s is a published default: %s', (secret, is) => {
  expect(isPublishedDefault(secret)).toBe(is);
});
