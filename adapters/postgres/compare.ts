import { DrError } from '../../domain/errors.ts';
import type { DatabaseFacts } from '../../domain/manifest.ts';

/** Compares what was recovered with what the backup attests. Pure. */

/**
 * For a recovery to the set's own restore point: rows and schema must be the same.
 *
 * @throws DrError DATA_UNPROVEN naming every table that differs.
 */
export function compareExact(expected: DatabaseFacts, found: DatabaseFacts): void {
  const differences = rowDifferences(expected.rows, found.rows).filter(
    ({ before, after }) => before !== after,
  );
  refuse('rows at the restore point', differences);
  if (found.schemaDigest !== expected.schemaDigest) {
    throw new DrError('DATA_UNPROVEN', {
      what: 'digest of the schema',
      expected: expected.schemaDigest,
      actual: found.schemaDigest,
    });
  }
}

export interface Growth {
  /** By table: rows now less rows at the restore point, where that is not zero. */
  readonly changed: Readonly<Record<string, number>>;
  /** Tables that came after the restore point. */
  readonly added: readonly string[];
  readonly schemaChanged: boolean;
}

/**
 * For a recovery to the end of the archive: later than the restore point, so that only bounds hold. No table may be
 * gone, and the tables named must not have fewer rows.
 *
 * @param notBelow `schema.table`: tables that only grow, and control tables that nobody empties on purpose.
 * @returns what differs, for the report.
 * @throws DrError DATA_UNPROVEN.
 */
export function compareAtEnd(
  expected: DatabaseFacts,
  found: DatabaseFacts,
  notBelow: readonly string[],
): Growth {
  const differences = rowDifferences(expected.rows, found.rows);
  const watched = new Set(notBelow);
  refuse(
    'rows at the end of the archive',
    differences.filter(
      ({ table, before, after }) =>
        before !== undefined && (after === undefined || (watched.has(table) && after < before)),
    ),
  );
  return {
    changed: Object.fromEntries(
      differences.map(({ table, before = 0, after = 0 }) => [table, after - before] as const),
    ),
    added: differences.filter(({ before }) => before === undefined).map(({ table }) => table),
    schemaChanged: expected.schemaDigest !== found.schemaDigest,
  };
}

interface Difference {
  readonly table: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

function rowDifferences(
  expected: Readonly<Record<string, number>>,
  found: Readonly<Record<string, number>>,
): Difference[] {
  const tables = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return tables
    .map((table) => ({ table, before: expected[table], after: found[table] }))
    .filter(({ before, after }) => before !== after);
}

function refuse(what: string, differences: readonly Difference[]): void {
  if (differences.length === 0) return;
  const list = (pick: (difference: Difference) => number | undefined): string =>
    differences.map((each) => `${each.table} ${pick(each) ?? 'absent'}`).join(', ');
  throw new DrError('DATA_UNPROVEN', {
    what,
    expected: list(({ before }) => before),
    actual: list(({ after }) => after),
  });
}
