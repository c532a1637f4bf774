import { describe, expect, test } from 'vitest';
import type { Step } from '../../domain/step.ts';
import { groupsInOrder, requireSoundOrder } from '../../runbooks/order.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';

const TABLE: readonly Step[] = RECOVER_STEPS;
const IDS = TABLE.map(({ id }) => id);

/** The table with one step changed. */
function changed(id: string, change: Partial<Step>): Step[] {
  expect(IDS).toContain(id);
  return TABLE.map((step) => (step.id === id ? { ...step, ...change } : step));
}

const without = (...ids: string[]): string[] => IDS.filter((id) => !ids.includes(id));

test('the table as it stands is sound, whole', () => {
  expect(() => requireSoundOrder(TABLE, IDS, [])).not.toThrow();
});

describe('no plan is made of a table', () => {
  test.each<[string, Step[], RegExp]>([
    [
      'with a cycle',
      changed('start-redis', { after: ['prove-redis'] }),
      /start-redis and prove-redis wait for/,
    ],
    [
      'with a step that waits for itself',
      changed('start-redis', { after: ['start-redis'] }),
      /wait for each other/,
    ],
    [
      'with a gap',
      changed('start-redis', { after: ['restore-redis'] }),
      /after restore-redis, which is not in/,
    ],
    ['in the wrong order', [...TABLE].reverse(), /stands above/],
    ['with a step twice', [...TABLE, TABLE[3]!], /has provision-target twice/],
    [
      'whose restore waits for no claim',
      changed('restore-redis-data', { after: [] }),
      /restore-redis-data would run without/,
    ],
    [
      'whose traffic waits for no proof',
      changed('switch-traffic', { after: ['start-pump'] }),
      /switch-traffic would run without/,
    ],
  ])('%s', (_what, table, expected) => {
    expect(() => requireSoundOrder(table, IDS, [])).toThrow(expected);
  });
});

describe('no plan is made', () => {
  test.each<[string, string[], string[], RegExp]>([
    ['of a step that is in no table', [...IDS, 'format-disk'], [], /format-disk, which is not in the table/],
    ['that forgets a step', without('prove-redis'), [], /prove-redis is neither part of it nor left out/],
    [
      'that changes a target which it has not claimed',
      without('claim-target'),
      ['claim-target'],
      /without claim-target/,
    ],
    ['that has not looked at the target', without('check-target'), ['check-target'], /without check-target/],
    [
      'that brings clients to APIs nobody has proven',
      without('prove-apis'),
      ['prove-apis'],
      /switch-traffic would run without prove-apis/,
    ],
  ])('%s', (_what, planned, leftOut, expected) => {
    expect(() => requireSoundOrder(TABLE, planned, leftOut)).toThrow(expected);
  });
});

test('steps are grouped by the moment at which they may begin: the stores side by side, each start after its restore', () => {
  const groups = groupsInOrder(TABLE, IDS);
  const groupOf = (id: string): number => groups.findIndex((group) => group.includes(id));
  expect(groups.flat().sort()).toEqual([...IDS].sort());
  expect(groupOf('restore-redis-data')).toBe(groupOf('restore-database-data'));
  for (const { id, after } of TABLE)
    for (const before of after) expect(groupOf(before), `${before} before ${id}`).toBeLessThan(groupOf(id));
});
