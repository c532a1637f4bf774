import type { AccessDefinition } from './policy.ts';

/** The JSON behind `apikey-<hash>` in Redis: the fields that decide whether a key passes. */
export interface Session {
  readonly org_id: string;
  readonly alias: string;
  /** RFC 3339. A Gateway cannot read a session whose date is empty. */
  readonly date_created: string;
  /** Unix seconds; 0 or -1 never expires. */
  readonly expires: number;
  readonly is_inactive: boolean;
  /** At most `rate` requests in `per` seconds; 0 or -1 is no limit. */
  readonly rate: number;
  readonly per: number;
  readonly allowance: number;
  /** -1 is no quota. The count itself is in `quota-<hash>`. */
  readonly quota_max: number;
  readonly quota_remaining: number;
  /** Unix seconds. */
  readonly quota_renews: number;
  /** Seconds. */
  readonly quota_renewal_rate: number;
  /** Empty gives access to every API, unless a policy says otherwise. */
  readonly access_rights: Readonly<Record<string, AccessDefinition>>;
  readonly apply_policies: readonly string[];
  readonly tags: readonly string[];
  readonly meta_data: Readonly<Record<string, unknown>>;
  readonly last_updated: string;
}

export type SessionOptions = Partial<Omit<Session, 'org_id'>> & { readonly orgId: string };

/** The smallest session that a Gateway accepts: active, no limits, access to what `access_rights` says. */
export function buildSession({ orgId, ...fields }: SessionOptions): Session {
  return {
    org_id: orgId,
    alias: '',
    date_created: '2026-01-01T00:00:00Z',
    expires: 0,
    is_inactive: false,
    rate: 0,
    per: 0,
    allowance: 0,
    quota_max: -1,
    quota_remaining: 0,
    quota_renews: 0,
    quota_renewal_rate: 0,
    access_rights: {},
    apply_policies: [],
    tags: [],
    meta_data: {},
    last_updated: '0',
    ...fields,
  };
}
