import type { MarkedStore } from './beacon.ts';
import { formatBytes, formatDuration } from './duration.ts';

/** How far the stores of a standby are behind those of the site that serves: measured, never promised. */

export interface StoreStanding {
  readonly store: MarkedStore;
  readonly site: string;
  readonly role: 'writes' | 'follows' | 'unreachable';
  /** Of one that writes: Sentinels have made it the master. It was a replica, and is to be the master of its site. */
  readonly promoted?: true;
  /** Of one that follows: its stream runs. */
  readonly streaming?: boolean;
  /** In the store's own measure: an LSN, or an offset of the replication stream. */
  readonly position?: string;
  /** Bytes of the stream that are not here yet; where both sites could be asked. */
  readonly lagBytes?: number;
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
  const { role, streaming, lagBytes, lagMs, problem, promoted } = standing;
  if (role === 'unreachable') return `not reachable${problem === undefined ? '' : `: ${problem}`}`;
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
    ...(problem === undefined ? [] : [problem]),
  ];
  return parts.join(', ');
}
