import { describe, expect, test } from 'vitest';
import { listingChanges } from '../../adapters/host/listing.ts';
import { compareLooks, type LookItem } from '../../domain/live-look.ts';

const same = (value: string): LookItem => ({ what: 'configuration', value, rule: 'same' });
const onward = (value: string): LookItem => ({ what: 'position', value, rule: 'onward' });
const none = (value: string): LookItem => ({ what: 'traces', value, rule: 'none' });
const unseen: LookItem = { what: 'configuration', value: 'no right to', rule: 'unseen' };

describe('the live site', () => {
  test.each<[string, LookItem[], LookItem[], string]>([
    ['as it was', [same('a')], [same('a')], 'pass'],
    ['with another configuration', [same('a')], [same('b')], 'fail'],
    ['whose clients went on', [onward('9')], [onward('10')], 'pass'],
    ['where nobody wrote', [onward('9')], [onward('9')], 'pass'],
    ['that went back', [onward('10')], [onward('9')], 'fail'],
    ['with no trace of the drill', [], [none('0')], 'pass'],
    ['that served requests of the drill', [], [none('3')], 'fail'],
    ['that could not be seen before', [unseen], [same('a')], 'not-measured'],
    ['that can no longer be seen', [same('a')], [unseen], 'not-measured'],
    ['at which nobody looked again', [same('a')], [], 'not-measured'],
    ['at which nobody had looked', [], [same('a')], 'not-measured'],
    ['at which nobody looked at all', [], [], 'not-measured'],
    ['whose position is no number any more', [onward('10')], [onward('unknown')], 'fail'],
  ])('%s', (_what, before, after, verdict) => {
    expect(compareLooks(before, after).verdict).toBe(verdict);
  });

  test('one thing that changed outweighs all that did not, and all that was not seen', () => {
    const { verdict, looks } = compareLooks([same('a'), onward('10')], [unseen, onward('9'), none('0')]);
    expect(verdict).toBe('fail');
    expect(looks.map((look) => `${look.what} ${look.verdict}`)).toEqual([
      'configuration not-measured',
      'position fail',
      'traces pass',
    ]);
  });

  test('a store that is one of several hosts’ is compared with itself, not with its neighbour', () => {
    // Each worker looks at its own; their lists come together.
    const looks = [same('a'), onward('1')];
    expect(compareLooks(looks, [...looks].reverse()).verdict).toBe('pass');
  });
});

test('what is left, gone and changed in some folders is told apart', () => {
  const before = { '/a': 'a folder', '/a/kept': '1 bytes', '/a/gone': '1 bytes', '/a/other': '1 bytes' };
  const after = { '/a': 'a folder', '/a/kept': '1 bytes', '/a/other': '2 bytes', '/a/new': '3 bytes' };
  expect(listingChanges(before, after)).toEqual([
    { path: '/a/gone', what: 'gone' },
    { path: '/a/new', what: 'left' },
    { path: '/a/other', what: 'changed' },
  ]);
  expect(listingChanges(before, before)).toEqual([]);
});
