import { expect, test } from 'vitest';
import { expirable } from '../../adapters/postgres/expire.ts';

/** Which database backups may go with their sets. */

const OLD = [
  '20260101-000000F',
  '20260101-000000F_20260102-000000I',
  '20260101-000000F_20260103-000000I',
] as const;
const NEW = '20260201-000000F';
const ALL = [...OLD, NEW];

test('a full backup stays while an incremental one that builds on it is needed', () => {
  expect(expirable(ALL, [OLD[1], NEW], [OLD[0], OLD[2]])).toEqual([OLD[2]]);
});

test('a whole chain goes when no set needs any of it, newest first', () => {
  expect(expirable(ALL, [NEW], [...OLD])).toEqual([OLD[2], OLD[1], OLD[0]]);
});

test('a backup that no set has ever named is nobody’s to delete', () => {
  expect(expirable(ALL, [NEW], [OLD[2]])).toEqual([OLD[2]]);
  expect(expirable(ALL, [], [])).toEqual([]);
});

test('the newest chain stays, whatever was decided', () => {
  expect(expirable(ALL, [], ALL)).not.toContain(NEW);
});
