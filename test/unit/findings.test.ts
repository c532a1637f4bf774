import { describe, expect, test } from 'vitest';
import { closingProblem, findingsOf, type Finding } from '../../domain/findings.ts';
import { importedFindings } from '../../domain/import-findings.ts';
import type { Entry, JournalEvent } from '../../domain/journal.ts';
import type { RunRecord, StepRecord } from '../../domain/run.ts';
import { runRecord } from '../harness/run-record.ts';

/** What runs find, and what becomes of it: nothing is closed by anybody's word where a run can show it. */

const day = (number: number): string => `2026-01-${String(number).padStart(2, '0')}`;
const NOW = `${day(20)}T00:00:00.000Z`;

const step = (state: StepRecord['state']): StepRecord => ({
  id: 'start-pump',
  phase: 'gateways',
  state,
  calls: 1,
});
/** A run of that day; its Pump is as told. */
const run = (number: number, state: StepRecord['state'], changes: Partial<RunRecord> = {}): RunRecord =>
  runRecord({
    run: `rec-202601${String(number).padStart(2, '0')}-000000-0001`,
    ...{ endedAt: `${day(number)}T01:00:00.000Z`, outcome: 'RECOVERED', steps: [step(state)] },
    ...changes,
  });

let events = 0;
const said = (event: object, at = `${day(10)}T00:00:00.000Z`): Entry =>
  ({ actor: 'ann', at, id: String((events += 1)), ...event }) as JournalEvent & { id: string };

const of = (check: string, findings: readonly Finding[]): Finding[] =>
  findings.filter((each) => each.check === check);
const PUMP = 'override/start-pump';
const skipped = run(1, 'skipped', {
  decisions: [{ kind: 'skip', step: 'start-pump', actor: 'ann', reason: 'no time', at: '' }],
});

describe('findings', () => {
  test('come from overrides, missed objectives, exceptions, failed and missing proofs', () => {
    const late = {
      clock: [
        ...runRecord().clock.slice(0, 2),
        { name: 'traffic verified', at: '2026-01-02T00:00:00.000Z', source: '' } as const,
      ],
    };
    const proofs = [
      { step: 'prove-redis', name: 'keys', verdict: 'fail', expected: '5', actual: '4' } as const,
      {
        step: 'prove-apis',
        name: 'quota',
        verdict: 'not-measured',
        expected: '',
        actual: 'no probe',
      } as const,
    ];
    const findings = findingsOf(
      [run(1, 'by-hand', { ...late, proofs, exceptions: ['start-pump: it was late'] })],
      [],
      NOW,
    );
    expect(findings.map(({ check, severity }) => `${check} ${severity}`).sort()).toEqual([
      'exception/start-pump medium',
      'override/start-pump medium',
      'proof/prove-apis/quota low',
      'proof/prove-redis/keys high',
      'rpo medium',
      'rto high',
    ]);
  });

  test('a run that did not recover is one, and a refused one says nothing of what it never looked at', () => {
    expect(findingsOf([run(1, 'done', { outcome: 'STUCK' })], [], NOW)[0]).toMatchObject({
      check: 'outcome',
      severity: 'critical',
    });
    expect(
      findingsOf([run(1, 'pending', { outcome: 'REFUSED' })], [], NOW).map(({ check }) => check),
    ).toEqual(['outcome']);
  });

  test('that several runs have are one finding, and are pointed out', () => {
    const [found] = of(PUMP, findingsOf([skipped, run(2, 'done'), run(3, 'by-hand')], [], NOW));
    expect(found).toMatchObject({ recurring: true, state: 'open', text: 'start-pump was made by hand' });
    expect(found!.occurrences).toHaveLength(2);
  });

  test('keep their id whatever comes later, have owner and due date, and are overdue after that day', () => {
    const [{ id }] = of(PUMP, findingsOf([skipped], [], NOW)) as [Finding];
    const entries = [
      said({ kind: 'assigned', finding: id, owner: 'bob', due: day(19), severity: 'high' }),
      said({ kind: 'assigned', finding: id, owner: 'eve' }),
    ];
    const [later] = of(PUMP, findingsOf([skipped, run(5, 'skipped')], entries, NOW));
    expect(later).toMatchObject({ id, owner: 'eve', due: day(19), severity: 'high', overdue: true });
    expect(of(PUMP, findingsOf([skipped], entries, `${day(19)}T23:00:00.000Z`))[0]!.overdue).toBe(false);
  });

  test('an accepted risk is open again once its day is over', () => {
    const [{ id }] = of(PUMP, findingsOf([skipped], [], NOW)) as [Finding];
    const entries = [said({ kind: 'accepted', finding: id, by: 'cfo', until: day(19), reason: 'cheap' })];
    expect(of(PUMP, findingsOf([skipped], entries, `${day(19)}T23:00:00.000Z`))[0]!.state).toBe('accepted');
    expect(of(PUMP, findingsOf([skipped], entries, NOW))[0]).toMatchObject({
      state: 'open',
      acceptance: { expired: true },
    });
  });
});

describe('closing', () => {
  const [pump] = of(PUMP, findingsOf([skipped], [], NOW)) as [Finding];

  test.each([
    [
      'an earlier run',
      run(1, 'done', { endedAt: '2025-12-31T00:00:00.000Z' }),
      /ended at .* and the finding is of/,
    ],
    ['the same run', skipped, /ended at/],
    ['a run in which it is the same', run(2, 'by-hand'), /there it is the same/],
    ['a run that did not perform the check', run(2, 'not-part'), /has not performed the check/],
    ['a run that was refused', run(2, 'done', { outcome: 'REFUSED' }), /has not performed/],
  ])('%s does not do', (_what, record, why) => {
    const answer = closingProblem(pump, record, []);
    expect('problem' in answer && answer.problem).toMatch(why);
  });

  test('a criterion that is again not measured does not do', () => {
    const [rpo] = of('rpo', findingsOf([skipped], [], NOW)) as [Finding];
    expect(closingProblem(rpo, run(2, 'done'), [])).toEqual({
      problem: expect.stringContaining('not measured') as string,
    });
  });

  test('a later run that passed does; and what comes again after it is a new finding that names the old one', () => {
    const passing = run(2, 'done');
    expect(closingProblem(pump, passing, [])).toEqual({ basis: 'the check passed' });
    const closed = said({
      kind: 'closed',
      finding: pump.id,
      run: passing.run,
      runAt: passing.endedAt,
      reason: 'mended',
      basis: 'the check passed',
    });
    const all = of(PUMP, findingsOf([skipped, passing, run(5, 'skipped')], [closed], NOW));
    expect(all.map(({ state }) => state).sort()).toEqual(['closed', 'open']);
    expect(all.find(({ state }) => state === 'open')).toMatchObject({
      recurring: true,
      recurrenceOf: pump.id,
    });
  });

  test('what no run checks is closed by a later look of the doctor, else only as asserted', () => {
    const bad = said(
      {
        kind: 'imported',
        source: 'doctor',
        by: 'acme',
        findings: [{ check: 'doctor/keys/dr', severity: 'high', text: 'x' }],
        passed: [],
      },
      `${day(1)}T00:00:00.000Z`,
    );
    const well = said(
      { kind: 'imported', source: 'doctor', by: 'acme', findings: [], passed: ['doctor/keys/dr'] },
      `${day(2)}T00:00:00.000Z`,
    );
    const [found] = findingsOf([], [bad], NOW) as [Finding];
    expect(closingProblem(found, run(3, 'done'), [bad])).toEqual({ basis: 'asserted' });
    expect(closingProblem(found, run(3, 'done'), [bad, well])).toEqual({ basis: 'the check passed' });
    expect(closingProblem(found, run(3, 'done', { outcome: 'STUCK' }), [bad])).toHaveProperty('problem');
  });
});

describe('importing', () => {
  test('errors of the doctor are findings, what was well is remembered, and other deployments are left out', () => {
    const finding = (id: string, severity: string) => ({
      id,
      severity,
      where: 'dr',
      message: `${id}\u001b[2J is\nbad`,
    });
    const document = {
      deployments: [
        { deployment: 'other', findings: [finding('space', 'error')] },
        {
          deployment: 'acme',
          findings: [finding('keys', 'error'), finding('tools', 'ok'), finding('space', 'warning')],
        },
      ],
    };
    expect(importedFindings(JSON.stringify(document), 'acme')).toEqual({
      ...{ source: 'doctor', by: 'acme', passed: ['doctor/tools/dr'] },
      findings: [{ check: 'doctor/keys/dr', severity: 'high', text: 'keys[2J is bad' }],
    });
  });

  test.each([
    ['', /no JSON/],
    ['{}', /neither/],
    ['{"deployments":[]}', /nothing of the deployment acme/],
    ['{"findings":[]}', /auditor is missing/],
    ['{"auditor":"x","findings":[{"reference":"1","text":"a","severity":"awful"}]}', /severity is 'awful'/],
    ['{"auditor":"x","findings":[{"reference":"../1","text":"a","severity":"low"}]}', /reference/],
    ['{"auditor":"x","findings":[null]}', /reference/],
  ])('%s is refused in words', (text, why) => {
    expect(importedFindings(text, 'acme')).toMatch(why);
  });
});
