import type { IncomingMessage } from 'node:http';
import type { ApiDefinition } from '../tyk/api-definition.ts';
import type { Session } from '../tyk/session.ts';
import { applyPolicies, type EffectiveSession, type Limits } from './effective-session.ts';
import type { Limiter } from './limiter.ts';
import { log, reasonOf } from './log.ts';
import { REFUSALS } from './refusal.ts';
import type { Registry } from './registry.ts';
import type { Sessions, StoredSession } from './sessions.ts';

const SHORTEST_KEY = 4;
const BEARER = /^bearer /i;

/** Who asks, as far as it is known: also a refusal is recorded with it. */
export interface Caller {
  session: Session | undefined;
  /** Empty until the key is known to be good. */
  keyId: string;
}

export interface AccessDeps {
  readonly sessions: Sessions;
  readonly registry: Registry;
  readonly limiter: Limiter;
}

/**
 * Lets a request to a protected API pass, or throws the Refusal that a Gateway would answer with.
 *
 * @param version the one that the request asks for; empty on an API without versions.
 * @param caller filled in as soon as the key is known.
 */
export async function checkAccess(
  deps: AccessDeps,
  api: ApiDefinition,
  request: IncomingMessage,
  version: string,
  caller: Caller,
): Promise<void> {
  if (api.use_mutual_tls_auth) throw REFUSALS.noTls();
  if (api.use_oauth2 || api.enable_jwt) {
    throw request.headers.authorization ? REFUSALS.notAuthorised() : REFUSALS.noCredentials();
  }
  const token = tokenOf(api, request);
  if (token === '') throw REFUSALS.noKey();
  const stored = token.length < SHORTEST_KEY ? undefined : await deps.sessions.find(api.org_id, token);
  if (!stored) throw REFUSALS.disallowed();
  const effective = withPolicies(deps, api, stored);
  caller.session = effective.session;
  caller.keyId = stored.keyId;
  requireCurrent(effective.session);
  requireGranted(effective.session, api, version);
  await takeLimits(deps, api, token, stored, effective, caller);
}

function tokenOf(api: ApiDefinition, request: IncomingMessage): string {
  const config = api.auth_configs?.['authToken'] ?? api.auth;
  const name = (config?.auth_header_name || 'Authorization').toLowerCase();
  return String(request.headers[name] ?? '').replace(BEARER, '');
}

function withPolicies(deps: AccessDeps, api: ApiDefinition, stored: StoredSession): EffectiveSession {
  try {
    return applyPolicies(stored.session, (id) => deps.registry.policy(id), api.org_id);
  } catch (error) {
    log('error', `key ${stored.name} is refused: ${reasonOf(error)}`);
    throw REFUSALS.disallowed();
  }
}

function requireCurrent(session: Session): void {
  if (session.is_inactive) throw REFUSALS.inactive();
  if (session.expires >= 1 && Date.now() > session.expires * 1000) throw REFUSALS.expired();
}

function requireGranted(session: Session, api: ApiDefinition, version: string): void {
  const rights = session.access_rights ?? {};
  if (Object.keys(rights).length === 0) return;
  const access = rights[api.api_id];
  if (!access) throw REFUSALS.disallowed();
  if (!api.version_data.not_versioned && !access.versions?.includes(version)) throw REFUSALS.disallowed();
}

async function takeLimits(
  deps: AccessDeps,
  api: ApiDefinition,
  token: string,
  stored: StoredSession,
  { session, limits: byApi }: EffectiveSession,
  caller: Caller,
): Promise<void> {
  const limits = byApi.get(api.api_id) ?? ownLimits(session);
  if (!deps.limiter.takeRate(stored.keyId, session.last_updated ?? '', limits)) throw REFUSALS.rate();
  const quota = await deps.limiter.takeQuota(stored.name, limits);
  if (!quota) return;
  caller.session = { ...session, quota_remaining: quota.remaining, quota_renews: quota.renewsAt };
  deps.sessions.writeBack(token, stored, caller.session);
  if (quota.exceeded) throw REFUSALS.quota();
}

function ownLimits(session: Session): Limits {
  return {
    rate: session.rate ?? 0,
    per: session.per ?? 0,
    quotaMax: session.quota_max ?? 0,
    quotaRenewalSeconds: session.quota_renewal_rate ?? 0,
    scope: '',
  };
}
