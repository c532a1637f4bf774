import type { Redis } from 'ioredis';
import { keyHash, makeToken, tokenOrg } from '../tyk/key-hash.ts';
import { NOTIFICATION_CHANNEL, signNotification } from '../tyk/notification.ts';
import type { Session } from '../tyk/session.ts';
import type { Conf } from './conf.ts';
import { log, reasonOf } from './log.ts';

const CACHE_MS = 10_000;
const SWEEP_MS = 5000;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** A session with the key that it belongs to, which may differ from the text that a client sent. */
export interface StoredSession {
  readonly session: Session;
  /** The whole key, or its hash where it was looked up by that. */
  readonly keyId: string;
  /** What follows `apikey-` and `quota-` in Redis. */
  readonly name: string;
}

/** Sessions in Redis, remembered for 10 s. */
export class Sessions {
  readonly #conf: Conf;
  readonly #redis: Redis;
  readonly #cache = new Map<string, { stored: StoredSession; untilMs: number }>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(conf: Conf, redis: Redis) {
    this.#conf = conf;
    this.#redis = redis;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  stop(): void {
    clearInterval(this.#sweeper);
  }

  /** For a request: from memory where it was read within 10 s. Undefined where there is none, or no Redis. */
  async find(orgId: string, token: string): Promise<StoredSession | undefined> {
    const cacheKey = this.#cacheKey(token);
    const cached = this.#cache.get(cacheKey);
    if (cached && cached.untilMs > Date.now()) return cached.stored;
    const stored = await this.read(orgId, token).catch(() => undefined);
    if (stored) this.#cache.set(cacheKey, { stored, untilMs: Date.now() + CACHE_MS });
    return stored;
  }

  /** Straight from Redis. A text that names no organisation may also be the id inside a key. */
  async read(orgId: string, token: string): Promise<StoredSession | undefined> {
    const candidates = tokenOrg(token) === orgId ? [token] : [this.tokenFor(orgId, token), token];
    const names = candidates.map((candidate) => this.nameOf(candidate));
    const values = await this.#redis.mget(names.map((name) => `apikey-${name}`));
    const at = values.findIndex((value) => value !== null && value !== '');
    if (at < 0) return undefined;
    return parse(values[at]!, candidates[at]!, names[at]!);
  }

  /** By what follows `apikey-`. */
  async readByHash(hash: string): Promise<StoredSession | undefined> {
    const value = await this.#redis.get(`apikey-${hash}`);
    return value === null ? undefined : parse(value, hash, hash);
  }

  /** Stores without an expiry, as a Gateway does where no session lifetime is configured. */
  async write(name: string, session: Session): Promise<void> {
    await this.#redis.set(`apikey-${name}`, JSON.stringify(session));
  }

  /** After a request: stores what changed and remembers it, without making the client wait. */
  writeBack(token: string, stored: StoredSession, session: Session): void {
    this.#cache.set(this.#cacheKey(token), {
      stored: { ...stored, session },
      untilMs: Date.now() + CACHE_MS,
    });
    this.write(stored.name, session).catch((error: unknown) =>
      log('error', `cannot write session ${stored.name}: ${reasonOf(error)}`),
    );
  }

  /** Removes the session and its count; every Gateway forgets it at once. */
  async remove(stored: StoredSession): Promise<void> {
    await this.#redis.del(`apikey-${stored.name}`, `quota-${stored.name}`);
    this.forget(this.#cacheKey(stored.keyId));
    this.forget(stored.name);
    const notice = signNotification('KeySpaceUpdateNotification', this.#conf.nodeSecret, stored.name);
    await this.#redis.publish(NOTIFICATION_CHANNEL, JSON.stringify(notice));
  }

  forget(cacheKey: string): void {
    this.#cache.delete(cacheKey);
  }

  /** The whole key that stands behind an id. */
  tokenFor(orgId: string, id?: string): string {
    const bare = id?.startsWith(orgId) ? id.slice(orgId.length) : id;
    return makeToken(orgId, bare, this.#conf.hashKeyFunction);
  }

  nameOf(token: string): string {
    return this.#conf.hashKeys ? keyHash(token) : token;
  }

  #cacheKey(token: string): string {
    return this.#conf.hashKeys ? keyHash(token, 'murmur64') : token;
  }

  #sweep(): void {
    const now = Date.now();
    for (const [key, entry] of this.#cache) if (entry.untilMs <= now) this.#cache.delete(key);
  }
}

function parse(json: string, keyId: string, name: string): StoredSession | undefined {
  try {
    const session = JSON.parse(json) as Session;
    const dated = session.date_created === undefined || RFC_3339.test(session.date_created);
    if (dated) return { session, keyId, name };
  } catch {
    // falls through: a session that cannot be read is no session
  }
  log('error', `session ${name} cannot be read`);
  return undefined;
}
