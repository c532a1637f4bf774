import type { Finding } from './doctor.ts';
import type { Standing } from './standing.ts';

/** What is known of a standby when a page is written; or why nothing is. */
export type StandbySeen =
  { readonly at: string; readonly findings: readonly Finding[] } | { readonly why: string };

/** What one look of the schedule `watch` leaves for the next: Temporal hands it on from run to run. */
export interface Watched {
  readonly standings: readonly Standing[];
  /** When people were told of what is out of bounds now. */
  readonly toldAt?: string;
  /** What was seen of the standby; absent where the strategy does not replicate. */
  readonly replication?: readonly Finding[];
  readonly standbyToldAt?: string;
  /** Whether the standby would serve what the site that serves does; absent where there is none. */
  readonly drift?: readonly Finding[];
}
