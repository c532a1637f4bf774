import { formatGib, TARGETS, type BenchResult } from './result.ts';
import { backupRows, mebibytes, ratio, row, seconds, verdictRow } from './rows.ts';

/** The result for people. Pure. */

export function tableOf(result: BenchResult): string {
  const { spreadsMs, ratios, spread, data } = result;
  const time = (name: string): string => seconds(spreadsMs[name]!);
  const ratioRow = (title: string, name: keyof typeof ratios, goal?: number): string =>
    row(title, ratio(ratios[name], spread[name]), goal === undefined ? '' : target(goal));
  const rounds = result.rounds.length;
  return [
    `scale ${result.scale}: ${data.keys} Redis keys, ${data.rows} rows in ${formatGib(data.databaseBytes)} of PostgreSQL`,
    `${rounds} alternating ${rounds === 1 ? 'run' : 'runs'} on the same data, medians (min..max); page cache ${result.pageCache}`,
    '',
    ...backupRows(result.backup),
    '',
    row('recovery', 'data restored', 'traffic verified'),
    row("(a) the guide's commands", time('guideData'), `${time('guideVerified')} with the same proofs`),
    row('(b) tyk-dr recover', time('recoverData'), time('recoverVerified')),
    row('    its data phases alone', time('recoverPhases'), ''),
    row('(c) bare limit: copy, start', time('bareLimit'), ''),
    row('    copy, make durable, start', time('durableBareLimit'), ''),
    '',
    ratioRow('(b) to (a), data restored', 'recoverToGuide', TARGETS.recoverToGuide),
    ratioRow('(b) to (a), traffic verified', 'recoverToGuideVerified'),
    ratioRow('(b) data phases to (c)', 'recoverToBareLimit', TARGETS.recoverToBareLimit),
    ratioRow('    to (c) made durable', 'recoverToDurableBareLimit'),
    row(
      'orchestration adds',
      seconds(result.orchestrationMs),
      `target below ${TARGETS.orchestrationMs / 1000} s; ${dispatches(result)}`,
    ),
    row(
      'peak memory of a worker',
      mebibytes(result.peakBytes.recover),
      `in recover; ${mebibytes(result.peakBytes.backup)} in backup; target below ${mebibytes(TARGETS.workerBytes)}`,
    ),
    '',
    'targets, all of them meant at scale large',
    ...result.verdicts.map(verdictRow),
    '',
    ...Object.entries(result.events).map(
      ([name, text]) => `${name.length === 1 ? `(${name})` : name} ${text}`,
    ),
    'orchestration: time of the run during which no activity was executing, from the workflow history',
    '',
    "Where the guide's literal commands fail, (a) deviates:",
    ...result.deviations.flatMap(({ guide, why, instead }) => [
      `- ${guide}`,
      `    ${why}`,
      `    here: ${instead}`,
    ]),
    'Every row and key is counted after each of (a), (b) and (c), outside the times.',
  ].join('\n');
}

function dispatches({ rounds }: BenchResult): string {
  const { activities, dispatchMs } = rounds[0]!.recover.orchestration;
  return `${activities} activities waited ${(dispatchMs / 1000).toFixed(1)} s for their worker, hidden ones included`;
}

const target = (limit: number): string => `target at scale large: ${limit} or less`;
