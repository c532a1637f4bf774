import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unneededFiles, type NeededFiles } from '../../adapters/postgres/unneeded-files.ts';
import { rewrappedId } from '../../domain/manifest.ts';

/** What may be deleted of pgBackRest's repositories at a copy: never what a set that stays names. */

const segment = (number: number): string => number.toString(16).toUpperCase().padStart(24, '0');
const wal = (number: number): string =>
  `archive/acme/15-1/${segment(number).slice(0, 16)}/${segment(number)}-${'a'.repeat(40)}.zst`;
const backup = (number: number): string => `backup/acme/2026010${number}-000000F/pg_data/${number}.zst`;

/** A set of day n has one file and the segments 10n and 10n + 1. */
const setOf = (day: number, generation: string): NeededFiles => ({
  generation,
  files: new Set([backup(day), wal(day * 10), wal(day * 10 + 1)]),
  walStart: segment(day * 10),
});
const DAYS = [1, 2, 3, 4, 5];
const GENERATIONS = ['primary-1', 'dr-2'];
const EVERYTHING = GENERATIONS.flatMap((generation) =>
  [
    ...DAYS.map(backup),
    ...Array.from({ length: 60 }, (_, number) => wal(number)),
    ...['archive/acme/archive.info', 'backup/acme/backup.info.copy', 'archive/acme/15-1/00000002.history'],
  ].map((path) => ({ path: `${generation}/${path}`, bytes: 1 })),
);

test('no file that a set names goes, no WAL from the oldest on, and all else that is pgBackRest’s', () => {
  const needed = fc.array(fc.tuple(fc.constantFrom(...DAYS), fc.constantFrom(...GENERATIONS)), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(needed, (pairs) => {
      const sets = pairs.map(([day, generation]) => setOf(day, generation));
      const gone = new Set(unneededFiles(EVERYTHING, sets).unneeded.map(({ path }) => path));
      for (const generation of GENERATIONS) {
        const own = sets.filter((set) => set.generation === generation);
        const paths = EVERYTHING.map(({ path }) => path).filter((path) => path.startsWith(generation));
        if (own.length === 0) expect(paths.every((path) => gone.has(path))).toBe(true);
        for (const { files } of own)
          for (const file of files) expect(gone.has(`${generation}/${file}`)).toBe(false);
        const oldest = Math.min(...own.map(({ walStart }) => Number.parseInt(walStart, 16)));
        for (let number = 0; number < 60 && own.length > 0; number += 1)
          expect(gone.has(`${generation}/${wal(number)}`)).toBe(number < oldest);
        for (const day of DAYS.filter(
          (each) => own.length > 0 && !own.some(({ files }) => files.has(backup(each))),
        ))
          expect(gone.has(`${generation}/${backup(day)}`)).toBe(true);
      }
    }),
  );
});

test('what is no file of a repository stays, and is named', () => {
  const there = ['primary-1/notes.txt', 'README'].map((path) => ({ path, bytes: 1 }));
  expect(unneededFiles(there, [])).toEqual({ unneeded: [], unknown: ['primary-1/notes.txt', 'README'] });
});

test('a set that is sealed anew sorts behind the old one and before every later one', () => {
  const free = (): boolean => false;
  expect(rewrappedId('20260101T000000Z-00ff', free)).toBe('20260101T000000Z-0100');
  expect(rewrappedId('20260101T000000Z-00ff', (id) => id.endsWith('-0100'))).toBe('20260101T000000Z-0101');
  expect(rewrappedId('20261231T235959Z-ffff', free)).toBe('20270101T000000Z-0000');
});
