import type { BackupSummary } from './backup-result.ts';
import type { Spread, Verdict } from './figures.ts';
import { formatGib, TARGETS, type BenchResult } from './result.ts';

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

/** The backup of both, beside each other. */
function backupRows({ timesMs, ratios, bytes, stallsMs, withoutDatabase }: BackupSummary): string[] {
  const stalls = (name: keyof typeof stallsMs): string =>
    `${milliseconds(stallsMs[name].redis)}, ${milliseconds(stallsMs[name].database)}`;
  const line = (name: string, time: string, size: string, stall: string): string =>
    `${name.padEnd(30)} ${time.padEnd(24)} ${size.padEnd(12)} ${stall}`.trimEnd();
  return [
    line('backup', 'time', 'size', 'longest stall: Redis, database'),
    line("(a) the guide's commands", seconds(timesMs.guide), mebibytes(bytes.guide), stalls('guide')),
    line('    SAVE and cp', seconds(timesMs.guideRedis), '', ''),
    line('    the dump of the database', withoutDatabase ?? seconds(timesMs.guideDatabase), '', ''),
    line('(b) tyk-dr, until sealed', seconds(timesMs.sealed), mebibytes(bytes.sealed), stalls('sealed')),
    line(
      '    a second, incremental one',
      seconds(timesMs.incremental),
      mebibytes(bytes.incremental),
      stalls('incremental'),
    ),
    line('    its proof, apart', seconds(timesMs.proof), '', stalls('proof')),
    line('    the same clients, alone', '', '', stalls('idle')),
    line('(b) to (a)', spreadText(ratios.time), ratios.size.median.toFixed(2), ''),
  ];
}

function verdictRow({ what, actual, limit, unit, bound, met }: Verdict): string {
  const text = (value: number): string =>
    unit === 'ratio' ? value.toFixed(2) : unit === 'ms' ? milliseconds(value) : mebibytes(value);
  return `${met ? 'met    ' : 'NOT MET'} ${what}: ${text(actual)}, target ${text(limit)} or ${bound === 'most' ? 'less' : 'more'}`;
}

const milliseconds = (ms: number): string =>
  ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

const spreadText = (value: Spread): string => ratio(value.median, value);

const row = (name: string, value: string, remark: string): string =>
  `${name.padEnd(30)} ${value.padEnd(24)} ${remark}`.trimEnd();

const target = (limit: number): string => `target at scale large: ${limit} or less`;

function seconds({ median, min, max }: Spread): string {
  const text = (ms: number): string => (ms / 1000).toFixed(ms < 10_000 ? 2 : 1);
  return `${text(median)} s (${text(min)}..${text(max)})`;
}

const ratio = (value: number, { min, max }: Spread): string =>
  `${value.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
