import type { BackupSummary } from './backup-result.ts';
import type { Spread, Verdict } from './figures.ts';

/** The parts of a table for people. Pure. */

/** The backup of both, beside each other. */
export function backupRows({ timesMs, ratios, bytes, stallsMs, withoutDatabase }: BackupSummary): string[] {
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

export function verdictRow({ what, actual, limit, unit, bound, met }: Verdict): string {
  const text = (value: number): string =>
    unit === 'ratio' ? value.toFixed(2) : unit === 'ms' ? milliseconds(value) : mebibytes(value);
  return `${met ? 'met    ' : 'NOT MET'} ${what}: ${text(actual)}, target ${text(limit)} or ${bound === 'most' ? 'less' : 'more'}`;
}

const milliseconds = (ms: number): string =>
  ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

const spreadText = (value: Spread): string => ratio(value.median, value);

export const row = (name: string, value: string, remark: string): string =>
  `${name.padEnd(30)} ${value.padEnd(24)} ${remark}`.trimEnd();

export function seconds({ median, min, max }: Spread): string {
  const text = (ms: number): string => (ms / 1000).toFixed(ms < 10_000 ? 2 : 1);
  return `${text(median)} s (${text(min)}..${text(max)})`;
}

export const ratio = (value: number, { min, max }: Spread): string =>
  `${value.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;

export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
