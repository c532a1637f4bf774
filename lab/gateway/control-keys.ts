import type { Redis } from 'ioredis';
import type { Session } from '../tyk/session.ts';
import type { Conf } from './conf.ts';
import { failure, ok, type ControlAnswer } from './control-api.ts';
import { applyPolicies } from './effective-session.ts';
import { reasonOf } from './log.ts';
import type { Registry } from './registry.ts';
import type { Sessions, StoredSession } from './sessions.ts';

export interface KeyDeps {
  readonly conf: Conf;
  readonly redis: Redis;
  readonly registry: Registry;
  readonly sessions: Sessions;
}

/** `POST /tyk/keys/create`, or `/tyk/keys/<id>` for a key with that id. */
export async function createKey(
  deps: KeyDeps,
  name: string,
  query: URLSearchParams,
  body: unknown,
): Promise<ControlAnswer> {
  if (typeof body !== 'object' || body === null) return failure(500, 'Unmarshalling failed');
  let session: Session;
  try {
    session = applyPolicies(body as Session, (id) => deps.registry.policy(id)).session;
  } catch (error) {
    return failure(500, `Failed to create key - ${reasonOf(error)}`);
  }
  if (Object.keys(session.access_rights ?? {}).length === 0) {
    return failure(400, 'Failed to create key, keys must have at least one Access Rights record set.');
  }
  const key = deps.sessions.tokenFor(session.org_id, name === 'create' ? undefined : name);
  // A key that is posted under its hash is stored under the whole key that is made of that hash.
  const storedAs = query.has('hashed') ? key : deps.sessions.nameOf(key);
  await deps.redis.del(`quota-${storedAs}`);
  await deps.sessions.write(storedAs, asNew(session));
  return ok({ key, status: 'ok', action: 'added', ...(deps.conf.hashKeys ? { key_hash: storedAs } : {}) });
}

/** `GET /tyk/keys/<key>`, or `<hash>?hashed=true`: the session, with the quota that is left. */
export async function readKey(deps: KeyDeps, name: string, query: URLSearchParams): Promise<ControlAnswer> {
  if (name === '') {
    return failure(404, 'Hashed key listing is disabled in config (enable_hashed_keys_listing)');
  }
  const stored = await find(deps, name, query);
  if (!stored) return failure(404, 'Key not found');
  const { session } = stored;
  if (session.quota_max === -1) return ok(session);
  const used = Number((await deps.redis.get(`quota-${stored.name}`)) ?? 0);
  return ok({ ...session, quota_remaining: Math.max(0, session.quota_max - used) });
}

/** `DELETE /tyk/keys/<key>`, or `<hash>?hashed=true`. */
export async function deleteKey(deps: KeyDeps, name: string, query: URLSearchParams): Promise<ControlAnswer> {
  const stored = await find(deps, name, query);
  if (!stored) return failure(404, 'There is no such key found');
  await deps.sessions.remove(stored);
  return ok({ key: name, status: 'ok', action: 'deleted' });
}

async function find(deps: KeyDeps, name: string, query: URLSearchParams): Promise<StoredSession | undefined> {
  const reading = query.has('hashed')
    ? deps.sessions.readByHash(name)
    : deps.sessions.read(query.get('org_id') ?? '', name);
  return reading.catch(() => undefined);
}

function asNew(session: Session): Session {
  const now = new Date();
  const nowSeconds = Math.floor(now.getTime() / 1000);
  return {
    ...session,
    date_created: now.toISOString(),
    last_updated: String(nowSeconds),
    quota_renews: nowSeconds + (session.quota_renewal_rate ?? 0),
  };
}
