import { describe, expect, test } from 'vitest';
import { hideByForm } from '../../activities/hide-secrets.ts';
import { lastLines } from '../../domain/output.ts';
import { choicesOf } from '../../runbooks/choices.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import type { Step } from '../../domain/step.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

/** What a person is shown when a decision is asked: the end of what the tool said, and what may be chosen. */

describe('the last lines', () => {
  test('are whole lines, the newest, within the bytes that may be shown', () => {
    const text = Array.from({ length: 100 }, (_, at) => `line ${at} é`).join('\n');
    const shown = lastLines(text, 60);
    expect(shown.split('\n')).toEqual(['line 95 é', 'line 96 é', 'line 97 é', 'line 98 é', 'line 99 é']);
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(60);
  });

  test('never begin in the middle of a line: that could be the rest of a secret', () => {
    expect(lastLines(`password ${'x'.repeat(50)}\nend`, 40)).toBe('end');
    expect(lastLines('x'.repeat(5000), 4096)).toBe('(one line of 5000 bytes, too long to show)');
  });

  test('command no terminal', () => {
    expect(lastLines('\u001B[31mred\u001B[0m\u001B]0;title\u0007\r\nnext\u0000\u0008\tcolumn\n', 4096)).toBe(
      'red\nnext\tcolumn',
    );
  });
});

test.each([
  ['password=S3cr3t-9f8e7d6c in a line'],
  ['postgres://tyk:S3cr3t-9f8e7d6c@db/tyk'],
  ['requirepass S3cr3t-9f8e7d6c'],
  ['curl -H "Authorization: Bearer S3cr3t-9f8e7d6c"'],
  ['{"secret": "S3cr3t-9f8e7d6c", "port": 1}'],
  ['2026-11-24 ERROR: connection to "host=db password=S3cr3t-9f8e7d6c" failed'],
])('a secret goes by its form alone from %j', (text) => {
  expect(hideByForm(text)).not.toContain('S3cr3t');
  expect(hideByForm(text)).toContain('[redacted]');
});

describe('the choices of a step', () => {
  const rows: readonly Step[] = RECOVER_STEPS;
  const plan = compilePlan(FULL_SHAPE, REQUEST);
  const offered = (id: string, of = plan) =>
    choicesOf(
      rows.find((step) => step.id === id)!,
      'SERVICE_FAILED',
      of,
    );

  test('never let data, the command over the target or the switch itself be skipped', () => {
    for (const id of ['restore-redis-data', 'restore-database-data', 'claim-target', 'switch-traffic'])
      expect(offered(id), id).not.toContain('skip');
    for (const { id, risk, purpose } of rows.filter((step) => step.risk === 'probe'))
      if (!id.startsWith('check-')) expect(offered(id), `${risk}: ${purpose}`).toContain('skip');
  });

  test('name as the one that sees a hand-made effect a probe that comes later and needs it', () => {
    const needs = (id: string): string[] =>
      rows.find((step) => step.id === id)!.after.flatMap((after) => [after, ...needs(after)]);
    for (const { id, byHand } of rows) {
      if (byHand === undefined) continue;
      expect(rows.find((step) => step.id === byHand)?.risk, `${byHand} of ${id}`).toBe('probe');
      expect(needs(byHand), `${byHand} of ${id}`).toContain(id);
    }
  });

  test('do not hold done where no step of the plan would see it', () => {
    expect(offered('start-redis')).toEqual(['retry', 'done', 'abort']);
    const human = compilePlan(FULL_SHAPE, {
      ...REQUEST,
      scenario: 'human-error',
      occurredAt: '2026-01-01T00:00:00Z',
    });
    expect(offered('start-redis', human)).toEqual(['retry', 'abort']);
  });

  test('are a word about the site where a fence is in question', () => {
    const fence = rows.find(({ id }) => id === 'fence-source')!;
    expect(choicesOf(fence, 'NOT_FENCED', plan)).toEqual(['retry', 'confirm', 'abort']);
  });
});
