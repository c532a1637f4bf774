/** The fields of a Tyk policy that this project reads or writes; a Gateway fills in the rest. */
export interface Policy {
  /**
   * 24 hexadecimal digits. In Dashboard mode a Gateway knows the policy by this and ignores `id`, unless its
   * `policies.allow_explicit_policy_id` is true; any other non-empty text makes it reject the whole list.
   */
  readonly _id: string;
  readonly id: string;
  readonly name: string;
  /** Must equal the `org_id` of every API that the policy gives access to. */
  readonly org_id: string;
  readonly active: boolean;
  readonly is_inactive: boolean;
  /** At most `rate` requests in `per` seconds; 0 or -1 is no limit. */
  readonly rate: number;
  readonly per: number;
  /** -1 is no quota. */
  readonly quota_max: number;
  /** Seconds until a quota starts afresh. */
  readonly quota_renewal_rate: number;
  readonly key_expires_in: number;
  readonly tags: readonly string[];
  readonly partitions: PolicyPartitions;
  readonly access_rights: Readonly<Record<string, AccessDefinition>>;
  readonly meta_data: Readonly<Record<string, unknown>>;
}

export interface PolicyPartitions {
  readonly quota: boolean;
  readonly rate_limit: boolean;
  readonly complexity: boolean;
  readonly acl: boolean;
  readonly per_api: boolean;
}

/** What a key or policy may do with one API; stored under the API's id. */
export interface AccessDefinition {
  readonly api_id: string;
  readonly api_name: string;
  readonly versions: readonly string[];
}

export type PolicyOptions = Partial<Omit<Policy, '_id' | 'id' | 'org_id'>> & {
  /** 24 hexadecimal digits; becomes both `_id` and `id`. */
  readonly id: string;
  readonly orgId: string;
};

/** The smallest policy that a Gateway accepts, with no limits and no access unless given. */
export function buildPolicy({ id, orgId, ...fields }: PolicyOptions): Policy {
  return {
    _id: id,
    id,
    org_id: orgId,
    name: id,
    active: true,
    is_inactive: false,
    rate: 0,
    per: 0,
    quota_max: -1,
    quota_renewal_rate: 0,
    key_expires_in: 0,
    tags: [],
    partitions: { quota: false, rate_limit: false, complexity: false, acl: false, per_api: false },
    access_rights: {},
    meta_data: {},
    ...fields,
  };
}

/** Access to the given APIs, in all of the given versions (an API without versions has only `Default`). */
export function accessTo(
  apiIds: readonly string[],
  versions: readonly string[] = ['Default'],
): Record<string, AccessDefinition> {
  return Object.fromEntries(
    apiIds.map((id) => [id, { api_id: id, api_name: id, versions: [...versions] }] as const),
  );
}
