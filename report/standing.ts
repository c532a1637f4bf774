import { findingText, type Finding } from '../domain/doctor.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { exposureText, type Standing, type Trend } from '../domain/standing.ts';

/** The table of `backup status`: one row a store, what was not measured named as such. */

interface Row extends Standing {
  readonly nextAt?: string;
}

interface Status {
  readonly deployment: string;
  readonly stores: readonly Row[];
  readonly problems: readonly string[];
  readonly replication?: readonly Finding[];
  readonly runbookWrittenAt?: string;
}

const HEADINGS = ['STORE', 'EXPOSED', 'RPO', 'STATE', 'LAST SET', 'VERIFIED', 'SIZE', 'TOOK', 'NEXT RUN'];

export function statusText(
  { deployment, stores, problems, runbookWrittenAt, replication = [] }: Status,
  nowMs: number,
): string {
  const ago = (at: string | undefined): string =>
    at === undefined ? 'never' : `${formatDuration(Math.max(0, nowMs - Date.parse(at)))} ago`;
  const rows = [
    HEADINGS,
    ...stores.map((row) => [
      row.store,
      exposureText(row),
      formatDuration(row.rpoMs),
      row.state === 'in bounds' ? 'ok' : row.state.toUpperCase(),
      ago(row.lastSuccess),
      ago(row.lastVerified),
      trendText(row.bytes, formatBytes),
      trendText(row.durationMs, formatDuration),
      nextText(row.nextAt, nowMs),
    ]),
  ];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const bad = stores.filter(({ state }) => state !== 'in bounds').length;
  return [
    `${deployment}: ${bad === 0 ? 'every store is within its RPO' : `${bad} of ${stores.length} stores are NOT within their RPO`}`,
    ...rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd()),
    ...stores.map(({ store, basis }) => `  ${store}: ${basis}`),
    runbookWrittenAt === undefined
      ? `  runbook for a lost Temporal: none beside the sets; tyk-dr export ${deployment}`
      : `  runbook for a lost Temporal: written ${ago(runbookWrittenAt)}`,
    ...stores.flatMap((row) => walLines(row, nowMs)),
    ...replicationLines(replication),
    ...problems.map((problem) => `  not measured: ${problem}`),
  ].join('\n');
}

/** Who follows, how closely, and what is kept for it; what to do about what is not as it should be. */
function replicationLines(findings: readonly Finding[]): string[] {
  return findings.flatMap((finding) => [
    `  ${finding.severity === 'ok' ? 'replication' : 'REPLICATION'}: ${findingText(finding)}`,
    ...(finding.hint === undefined ? [] : [`    hint: ${finding.hint}`]),
  ]);
}

/** Where WAL is, and since when: here, and at each copy. */
function walLines({ offSiteWal, archivedThrough }: Row, nowMs: number): string[] {
  if (!offSiteWal) return [];
  const here = `  WAL: archived here through ${archivedThrough ?? 'no segment yet'}`;
  if (offSiteWal.length === 0) return [here, '  WAL: none is off-site'];
  const lines = offSiteWal.map(({ name, at, through }) => {
    const ago = formatDuration(Math.max(0, nowMs - Date.parse(at)));
    return `  WAL: off-site at ${name} through ${through ?? 'an unknown segment'}, shipped ${ago} ago`;
  });
  return [here, ...lines];
}

/** `36.2 MB +4 %`: against the median of the sets before. */
function trendText(trend: Trend | undefined, format: (value: number) => string): string {
  if (!trend) return 'not measured';
  const { value, changePercent } = trend;
  if (changePercent === undefined) return format(value);
  return `${format(value)} ${changePercent < 0 ? '' : '+'}${changePercent} %`;
}

function nextText(at: string | undefined, nowMs: number): string {
  return at === undefined ? 'no schedule' : `in ${formatDuration(Math.max(0, Date.parse(at) - nowMs))}`;
}
