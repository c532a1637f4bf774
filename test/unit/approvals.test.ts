import { describe, expect, test } from 'vitest';
import { approvalsAreSound } from '../../domain/config-check-approvals.ts';
import { APPROVABLE, approvalText } from '../../domain/approvals.ts';
import { waitedMs, waitedTexts } from '../../domain/clock.ts';
import type { Deployment } from '../../domain/config.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

/** Policies of approval, and the time that they cost. */

const KEY = (letter: string): string => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)} a comment`;

function problems(parts: object): string[] {
  return approvalsAreSound(parts as Deployment).map(
    ({ path, message }) => `${path.map(String).join('.')}: ${message}`,
  );
}

test('an approval may be asked for every step that changes something', () => {
  const mutating = RECOVER_STEPS.filter(({ risk, id }) => risk === 'mutate' && id !== 'write-record');
  expect([...APPROVABLE].sort()).toEqual(mutating.map(({ id }) => id as string).sort());
});

describe('a policy is refused', () => {
  const approvers = [
    { name: 'ann', roles: ['commander'], key: KEY('A') },
    { name: 'bob', roles: [], key: KEY('B') },
  ];
  test.each([
    [
      'that nobody can fulfil',
      { approvals: [{ step: 'switch-traffic', count: 2, roles: ['commander'] }], approvers },
      'approvals.0.count: 2 needed, and 1 of the approvers may (role commander)',
    ],
    [
      'without any approver',
      { approvals: [{ step: 'switch-traffic', count: 1, roles: [] }] },
      'approvals.0.count: 1 needed, and 0 of the approvers may',
    ],
    [
      'that names a step twice',
      { approvals: [0, 1].map(() => ({ step: 'switch-traffic', count: 1, roles: [] })), approvers },
      "approvals.1.step: 'switch-traffic' again",
    ],
    [
      'where one person has two names',
      { approvers: [...approvers, { name: 'carl', roles: [], key: KEY('A') }] },
      'approvers.2.key: the key of ann',
    ],
    [
      'where a name differs only in its letters’ case',
      { approvers: [...approvers, { name: 'Ann', roles: [], key: KEY('C') }] },
      "approvers.2.name: 'Ann' again",
    ],
    [
      'where one of them could be anybody',
      { approvers: [...approvers, { name: 'carl', roles: [] }] },
      'approvers.2.key: missing',
    ],
  ])('%s', (_, parts, expected) => {
    const found = problems(parts);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  test('never where it is sound', () => {
    expect(problems({ approvals: [{ step: 'switch-traffic', count: 2, roles: [] }], approvers })).toEqual([]);
  });
});

test('the plan holds the policies of its own steps, and is another plan with them', () => {
  const policy = { count: 1, roles: [], timeoutMs: 1, onTimeout: 'abort' } as const;
  const shape = {
    ...FULL_SHAPE,
    approvals: ['fence-source', 'hold-traffic'].map((step) => ({ ...policy, step })),
  };
  expect(compilePlan(shape, REQUEST).approvals).toEqual([{ ...policy, step: 'fence-source' }]);
  expect(compilePlan(FULL_SHAPE, REQUEST)).not.toHaveProperty('approvals');
});

test('the signed text has a line for each part', () => {
  const bound = { run: 'r', step: 's', plan: 'p', actor: 'ann', at: 't', reason: 'why' };
  expect(approvalText(bound)).toBe(
    'tyk-dr approval, format 1\nrun: r\nstep: s\nplan: p\nactor: ann\nat: t\nreason: why\n',
  );
});

test('waits at the same time count once, and each kind apart', () => {
  const at = (second: number): string => new Date(second * 1000).toISOString();
  const record = {
    waits: [
      { kind: 'approval', for: 'a', from: at(10), until: at(20) },
      { kind: 'approval', for: 'b', from: at(15), until: at(25) },
      { for: 'an old record', from: at(30), until: at(31) },
      { kind: 'pause', for: 'c', from: at(40) },
    ],
  } as const;
  const waits = { waits: [...record.waits] };
  expect(waitedMs(waits, 42_000)).toBe(18_000);
  expect(waitedMs(waits, 42_000, 'approval')).toBe(15_000);
  expect(waitedTexts(waits, 42_000)).toEqual([
    '15.0 s for approvals',
    '1.0 s for decisions',
    '2.0 s for a resume',
  ]);
});
