import { parseLsn } from '../../adapters/postgres/lsn.ts';
import type { MarkedStore } from '../../domain/beacon.ts';

/** How far a store has come, in its own measure, so that two can be compared: bytes of WAL, or of Redis' stream. */
export function valueOf(store: MarkedStore, position: string | undefined): bigint {
  if (position === undefined) return -1n;
  return store === 'database' ? parseLsn(position) : BigInt(position);
}
