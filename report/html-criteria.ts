import type { RunRecord } from '../domain/run.ts';
import { foundText, performanceRows, VERDICT_WORD } from './criteria.ts';
import { row, table } from './html-parts.ts';

/** The validation criteria, and how well clients were served, as tables. Pure. */

export function criteria(record: RunRecord): string {
  const rows = (record.criteria ?? []).map((each) =>
    row(
      [each.id, each.limit, foundText(each), VERDICT_WORD[each.verdict]],
      each.verdict === 'fail' ? 'fail' : each.verdict === 'pass' ? 'pass' : '',
    ),
  );
  const served = performanceRows(record).map((cells) => row(cells));
  return [
    rows.length === 0
      ? ''
      : `<section><h2>Validation criteria, fixed before the run</h2>${table(['criterion', 'what must hold', 'found', 'verdict'], rows)}</section>`,
    served.length === 0
      ? ''
      : `<section><h2>Performance</h2>${table(['when', 'by clients outside, and after it by a load'], served)}</section>`,
  ]
    .filter(Boolean)
    .join('\n');
}
