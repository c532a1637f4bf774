import type { Redis } from 'ioredis';
import type { Limits } from './effective-session.ts';
import { log, reasonOf } from './log.ts';

const SWEEP_MS = 30_000;
const NO_KEY = -2;
const MAX_BUCKETS_BEFORE_SWEEP = 10_000;

export interface QuotaCount {
  readonly exceeded: boolean;
  readonly remaining: number;
  /** Unix seconds. */
  readonly renewsAt: number;
}

/** Rates are counted in memory, as one Gateway alone does; quotas in Redis. */
export class Limiter {
  readonly #redis: Redis;
  readonly #buckets = new Map<string, { left: number; resetsAtMs: number }>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  stop(): void {
    clearInterval(this.#sweeper);
  }

  /** Takes one request from the rate; false where none was left. */
  takeRate(token: string, lastUpdated: string, limits: Limits): boolean {
    if (limits.rate <= 0) return true;
    const name = `${token}:${limits.scope}-${lastUpdated}`;
    const now = Date.now();
    let bucket = this.#buckets.get(name);
    if (!bucket || bucket.resetsAtMs <= now) {
      bucket = { left: limits.rate, resetsAtMs: now + limits.per * 1000 };
      this.#buckets.set(name, bucket);
      if (this.#buckets.size > MAX_BUCKETS_BEFORE_SWEEP) this.#sweep();
    }
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** Counts one request against the quota; undefined where there is none. Without Redis it is exceeded. */
  async takeQuota(name: string, limits: Limits): Promise<QuotaCount | undefined> {
    if (limits.quotaMax <= 0) return undefined;
    const counter = `quota-${limits.scope === '' ? '' : `${limits.scope}-`}${name}`;
    try {
      const { count, leftMs } = await this.#count(counter, limits.quotaRenewalSeconds);
      return {
        exceeded: count > limits.quotaMax,
        remaining: Math.max(0, limits.quotaMax - count),
        renewsAt: Math.floor((Date.now() + leftMs) / 1000),
      };
    } catch (error) {
      log('error', `cannot count ${counter}: ${reasonOf(error)}`);
      return { exceeded: true, remaining: 0, renewsAt: 0 };
    }
  }

  async #count(counter: string, renewalSeconds: number): Promise<{ count: number; leftMs: number }> {
    const leftMs = await this.#redis.pttl(counter);
    if (leftMs >= 0 || renewalSeconds <= 0) {
      return { count: await this.#redis.incr(counter), leftMs: Math.max(0, leftMs) };
    }
    if (leftMs === NO_KEY) await this.#redis.set(counter, 0, 'EX', renewalSeconds, 'NX');
    else await this.#redis.set(counter, 0, 'EX', renewalSeconds);
    return { count: await this.#redis.incr(counter), leftMs: renewalSeconds * 1000 };
  }

  #sweep(): void {
    const now = Date.now();
    for (const [name, bucket] of this.#buckets) if (bucket.resetsAtMs <= now) this.#buckets.delete(name);
  }
}
