import { isTechnical } from './calendar-kinds.ts';
import { formatBytes } from './duration.ts';
import { endOf } from './findings.ts';
import { OUTCOME_CLASS, type RunRecord, type SetSummary } from './run.ts';

/** Whether so much has changed since the last technical drill that another one is due, as the guide asks. Pure. */

export interface ChangeLimits {
  readonly config: boolean;
  readonly versions: boolean;
  readonly dataPercent: number;
}

/** The deployment as it is now. */
export interface CurrentState {
  readonly configDigest: string;
  /** Of the newest set; absent where there is none. */
  readonly set?: {
    readonly set: string;
    readonly versions: Readonly<Record<string, string>>;
    /** Of its sealed objects and of the data directory that it restores. */
    readonly bytes: number;
  };
}

export interface MajorChange {
  /** The last technical drill that brought the service back; absent where there was none. */
  readonly since?: string;
  readonly at?: string;
  /** What has changed by more than the limits, in words. */
  readonly changes: readonly string[];
}

export function majorChange(
  records: readonly RunRecord[],
  current: CurrentState,
  limits: ChangeLimits,
): MajorChange {
  const last = records.findLast(isGood);
  if (!last) return { changes: [] };
  // One component restores a part of its set, whose size says nothing of the whole.
  const whole = records.findLast((record) => isGood(record) && record.component === undefined);
  const [before, after] = [last.set, current.set];
  return {
    ...{ since: last.run, at: endOf(last) },
    changes: [
      ...(limits.config && last.configDigest !== current.configDigest
        ? [`the configuration (${last.configDigest.slice(0, 12)}, now ${current.configDigest.slice(0, 12)})`]
        : []),
      ...(limits.versions && before && after ? versionChanges(before.versions, after.versions) : []),
      ...(whole?.set && after ? sizeChange(sizeOf(whole.set), after.bytes, limits.dataPercent) : []),
    ],
  };
}

function isGood({ drill, outcome }: RunRecord): boolean {
  return (
    drill !== undefined &&
    isTechnical(drill.type) &&
    outcome !== undefined &&
    ['recovered', 'exceptions'].includes(OUTCOME_CLASS[outcome])
  );
}

const sizeOf = ({ bytes, databaseBytes = 0 }: SetSummary): number => bytes + databaseBytes;

function versionChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[] {
  return Object.keys(after)
    .filter((name) => before[name] !== undefined && before[name] !== after[name])
    .sort()
    .map((name) => `${name} (${before[name]}, now ${after[name]})`);
}

function sizeChange(before: number, after: number, percent: number): string[] {
  if (before === 0) return [];
  const change = Math.round((after / before - 1) * 100);
  if (Math.abs(change) <= percent) return [];
  return [
    `the size of the data (${formatBytes(before)}, now ${formatBytes(after)}, ${change > 0 ? '+' : ''}${change} %)`,
  ];
}
