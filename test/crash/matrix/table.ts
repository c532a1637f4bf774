import { MOMENTS, type Cell, type Moment } from './cells.ts';

/** What came of the cells, as a table for people: points down, moments across. */

export interface Verdict {
  readonly name: string;
  readonly scene: string;
  readonly point: string;
  readonly moment: Moment;
  readonly expected: string;
  readonly outcome: string;
  readonly problems: readonly string[];
  /** Of the run that it was played in, milliseconds. */
  readonly ms: number;
  /** How many cells shared that run. */
  readonly shared: number;
}

export function verdictOf(
  cell: Cell,
  played: { readonly problems: readonly string[]; readonly outcome: string; readonly ms: number },
  shared: number,
): Verdict {
  return {
    name: cell.name,
    scene: cell.scene,
    point: cell.id,
    moment: cell.moment,
    expected: cell.expected.outcome,
    outcome: played.outcome,
    problems: played.problems,
    ms: Math.round(played.ms),
    shared,
  };
}

/** Markdown, with the columns lined up. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const points = [...new Set(verdicts.map(({ scene, point }) => `${scene}/${point}`))];
  const rows = points.map((name) => [
    name,
    ...MOMENTS.map((moment) =>
      cellText(verdicts.filter((each) => `${each.scene}/${each.point}` === name && each.moment === moment)),
    ),
  ]);
  return markdown([['point', ...MOMENTS], ...rows]);
}

/** `ok`, or how many of several; what else than RECOVERED they had to end in. */
function cellText(verdicts: readonly Verdict[]): string {
  const [first] = verdicts;
  if (!first) return '-';
  const good = verdicts.filter(({ problems }) => problems.length === 0).length;
  const isWell = first.expected === 'RECOVERED' || first.expected === 'REPLICATED';
  const right = isWell ? '' : ` ${first.expected}`;
  if (good < verdicts.length) return `FAILED ${verdicts.length - good} of ${verdicts.length}${right}`;
  return `${verdicts.length === 1 ? 'ok' : `ok ${good}/${verdicts.length}`}${right}`;
}

function markdown([head, ...rows]: readonly string[][]): string {
  const widths = head!.map((_, column) => Math.max(...[head!, ...rows].map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function summaryOf(verdicts: readonly Verdict[], elapsedMs: number): string {
  const failed = verdicts.filter(({ problems }) => problems.length > 0);
  const runs = verdicts.reduce((sum, { shared }) => sum + 1 / shared, 0);
  return [
    `${verdicts.length} cells in ${Math.round(runs)} runs, ${verdicts.length - failed.length} ok, ${failed.length} failed; ${Math.round(elapsedMs / 1000)} s`,
    ...failed.flatMap(({ name, problems }) => [
      `FAILED ${name}`,
      ...problems.map((problem) => `  ${problem}`),
      `  again: npm run crash -- --only ${name}`,
    ]),
  ].join('\n');
}
