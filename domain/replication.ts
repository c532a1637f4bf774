import type { MarkedStore } from './beacon.ts';
import { formatBytes, formatDuration } from './duration.ts';

/** How far the stores of a standby are behind those of the site that serves: measured, never promised. */

export interface StoreStanding {
  readonly store: MarkedStore;
  readonly site: string;
  readonly role: 'writes' | 'follows' | 'unreachable';
  /** Of one that writes: a replica set has elected it by itself. What the other site still writes does not count. */
  readonly elected?: true;
  /** Of one that writes: Sentinels have made it the master. It was a replica, and is to be the master of its site. */
  readonly promoted?: true;
  /** Of one that follows: its stream runs. */
  readonly streaming?: boolean;
  /** In the store's own measure: an LSN, an offset of the replication stream, or an optime. */
  readonly position?: string;
  /** Bytes of the stream that are not here yet; where both sites could be asked. */
  readonly lagBytes?: number;
  /** In its place, where the store counts its stream in time: from its newest entry to that of the source, milliseconds. */
  readonly logLagMs?: number;
  /** From the newest watermark that is here to the newest journalled one, milliseconds; absent where there is none. */
  readonly lagMs?: number;
  /** When the newest watermark that is here was written: all that was acknowledged before it is here as well. */
  readonly markedAt?: string;
  /** Of one that writes: what its slot for the standby holds back on the disk, bytes. */
  readonly heldBytes?: number;
  readonly problem?: string;
}

/** One line for people. */
export function standingText(standing: StoreStanding): string {
  const { role, elected, streaming, lagBytes, logLagMs, lagMs, problem, promoted } = standing;
  if (role === 'unreachable') return `not reachable${problem === undefined ? '' : `: ${problem}`}`;
  if (elected) return 'is the primary: the replica set has elected it';
  if (role === 'writes' && !promoted) return `is written to${problem === undefined ? '' : `; ${problem}`}`;
  if (role === 'writes')
    return [
      'is written to: the Sentinels have made it the master already',
      lagMs === undefined ? 'lag not measured' : `${formatDuration(lagMs)} behind`,
      ...(lagBytes === undefined
        ? []
        : [`the old master has ${formatBytes(lagBytes)} of its stream that it lacks`]),
      ...(problem === undefined ? [] : [problem]),
    ].join(', ');
  const parts = [
    streaming ? 'follows' : 'a replica whose stream stands still',
    lagMs === undefined ? 'lag not measured' : `${formatDuration(lagMs)} behind`,
    ...(lagBytes === undefined ? [] : [`${formatBytes(lagBytes)} to come`]),
    ...(logLagMs === undefined ? [] : [`${formatDuration(logLagMs)} of the oplog to come`]),
    ...(problem === undefined ? [] : [problem]),
  ];
  return parts.join(', ');
}

export const summaryOf = (standing: readonly StoreStanding[]): string =>
  standing.map((each) => `${each.store} ${standingText(each)}`).join('; ') || 'no store is on this host';
