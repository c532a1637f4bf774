import { refused, type ErrorEntry } from './error-kinds.ts';

/** The part of the error table (see there) that is about snapshots. */

export const SNAPSHOT_ERRORS = {
  NO_PARENT_SET: refused(
    (d) => `a snapshot of ${d.deployment} has no full set that it could belong to: ${d.reason}`,
    'A snapshot is used with a full set of the same site. Make one first.',
    (d) => `tyk-dr backup run ${d.deployment}`,
  ),
  MANIFEST_ORPHANED: refused(
    (d) => `snapshot ${d.snapshot} belongs to set ${d.set}, ${d.reason}`,
    'It is of no use without that very set. Recover from another snapshot, or from a set alone.',
    (d) => `tyk-dr backup list ${d.deployment}`,
  ),
} as const satisfies Record<string, ErrorEntry>;
