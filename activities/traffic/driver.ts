import type { AdminState } from '../../adapters/haproxy/runtime.ts';
import type { Proof } from '../../domain/run.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';

/**
 * How the clients' address is pointed at a site. Each kind of `traffic:` is one object, chosen in `choose.ts`. Looking
 * is the ledger: every call that changes something looks first, and may be repeated after a kill at any moment.
 * All throw DrError TRAFFIC_FAILED.
 */
export interface TrafficDriver {
  /** As errors and reports name it. */
  readonly name: string;
  look(): Promise<Standing>;
  /**
   * Whether it could be pointed at the site: before the first effect of a run.
   *
   * @throws DrError TOOL_MISSING
   */
  check(site: string): Promise<Proof[]>;
  /** Gives the site that share, percent, the others the rest; returns once it holds. 100: all, and the others are out. */
  point(site: string, percent: number, manner?: Manner): Promise<Moved>;
  /** Keeps all clients from the site, whether or not another one has any; returns once it holds. */
  holdOut(site: string): Promise<Moved>;
  /** Makes it as it was seen before. */
  putBack(found: Found): Promise<Moved>;
  /** What the site has answered to clients so far; absent where this is not known. */
  served?(site: string): Promise<Served>;
  /** That all clients are sent to the site; absent where requests from outside show it. */
  leadsTo?(site: string): Promise<Proof>;
  /** Where a client that looks the address up now is sent; absent where the address itself leads there. */
  doors?(): Promise<readonly string[]>;
}

export interface Manner {
  /** The other sites serve no longer: nothing is drained, and nobody waits for them. */
  readonly othersAreGone: boolean;
}

export interface Standing {
  /** Percent of the clients that are sent to each site; without those that get none. */
  readonly shares: Readonly<Record<string, number>>;
  /** Sites that could answer; absent where this is not known. */
  readonly able?: readonly string[];
  readonly found: Found;
}

/** What one kind has to know to put back what it saw. Plain JSON: it is kept in a file. */
export type Found =
  | {
      readonly kind: 'haproxy';
      readonly servers: readonly {
        readonly name: string;
        readonly admin: AdminState;
        readonly weight: number;
      }[];
    }
  | { readonly kind: 'dns'; readonly records: readonly string[]; readonly ttlSeconds: number }
  | { readonly kind: 'command'; readonly shares: Readonly<Record<string, number>> };

export interface Moved {
  readonly changed: boolean;
  /** What has the traffic now, in words. */
  readonly what: string;
  /** What people should know besides: requests cut off, how long clients may go on to the old site. */
  readonly notes: readonly string[];
  /** Where it could not do what was asked. */
  readonly exception?: string;
}

export interface Served {
  readonly answers: number;
  readonly errors: number;
}

/** In which run a driver works. */
export interface At {
  readonly run: string;
  readonly signal: AbortSignal;
  secret(reference: SecretRef): Promise<Secret>;
}
