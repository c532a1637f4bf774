import type { AccessDefinition, Policy } from '../tyk/policy.ts';
import type { Session } from '../tyk/session.ts';

export interface Limits {
  readonly rate: number;
  readonly per: number;
  readonly quotaMax: number;
  readonly quotaRenewalSeconds: number;
  /** Empty, or the policy under whose name the counters of this API are kept. */
  readonly scope: string;
}

/** A session after its policies have had their say. */
export interface EffectiveSession {
  readonly session: Session;
  /** Limits by API id where policies set them; elsewhere the session's own hold. */
  readonly limits: ReadonlyMap<string, Limits>;
}

interface Grant {
  versions: string[];
  rate: number;
  per: number;
  quotaMax: number;
  quotaRenewalSeconds: number;
  setBy: string;
}

/**
 * Lets a session's policies replace what it may do and how often. Policies that are not partitioned only.
 *
 * @param find gives a policy by id.
 * @param orgId the organisation of the API that is asked for, where there is one.
 * @throws Error with the Gateway's own message where the only policy is missing, or one is of another organisation.
 */
export function applyPolicies(
  session: Session,
  find: (id: string) => Policy | undefined,
  orgId?: string,
): EffectiveSession {
  const ids = session.apply_policies ?? [];
  const grants = new Map<string, Grant>();
  const applied: Policy[] = [];
  for (const id of ids) {
    const policy = find(id);
    if (!policy) {
      if (ids.length === 1) throw new Error(`policy not found: "${id}"`);
      continue;
    }
    if (orgId !== undefined && policy.org_id !== orgId) {
      throw new Error('attempting to apply policy from different organisation to key, skipping');
    }
    applied.push(policy);
    for (const [apiId, access] of Object.entries(policy.access_rights ?? {})) {
      grants.set(apiId, merge(grants.get(apiId), policy, access));
    }
  }
  if (applied.length === 0) return { session, limits: new Map() };
  return { session: withPolicies(session, applied, grants), limits: limitsOf(grants) };
}

function merge(grant: Grant | undefined, policy: Policy, access: AccessDefinition): Grant {
  const versions = new Set([...(grant?.versions ?? []), ...(access.versions ?? [])]);
  return {
    versions: [...versions],
    rate: greater(policy.rate, grant?.rate ?? 0),
    per: Math.max(policy.per, grant?.per ?? 0),
    quotaMax: greater(policy.quota_max, grant?.quotaMax ?? 0),
    quotaRenewalSeconds: Math.max(policy.quota_renewal_rate, grant?.quotaRenewalSeconds ?? 0),
    setBy: policy._id || policy.id,
  };
}

function withPolicies(session: Session, applied: readonly Policy[], grants: Map<string, Grant>): Session {
  const rights = [...grants].map(([apiId, grant]) => {
    const access: AccessDefinition = { api_id: apiId, api_name: apiId, versions: grant.versions };
    return [apiId, access] as const;
  });
  return {
    ...session,
    rate: applied.map((policy) => policy.rate).reduce(greater, 0),
    per: Math.max(...applied.map((policy) => policy.per)),
    quota_max: applied.map((policy) => policy.quota_max).reduce(greater, 0),
    quota_renewal_rate: Math.max(...applied.map((policy) => policy.quota_renewal_rate)),
    is_inactive: session.is_inactive || applied.some((policy) => policy.is_inactive),
    tags: [...new Set([...applied.flatMap((policy) => policy.tags ?? []), ...(session.tags ?? [])])],
    access_rights: rights.length > 0 ? Object.fromEntries(rights) : session.access_rights,
  };
}

// Counters are kept apart only where APIs owe their limits to different policies.
function limitsOf(grants: Map<string, Grant>): Map<string, Limits> {
  const apart = new Set([...grants.values()].map((grant) => grant.setBy)).size > 1;
  return new Map(
    [...grants].map(([apiId, { setBy, rate, per, quotaMax, quotaRenewalSeconds }]) => {
      const limits: Limits = { rate, per, quotaMax, quotaRenewalSeconds, scope: apart ? setBy : '' };
      return [apiId, limits];
    }),
  );
}

/** Minus one is unlimited, and so greater than all. */
function greater(a: number, b: number): number {
  return a === -1 || b === -1 ? -1 : Math.max(a, b);
}
