import type { Redis } from 'ioredis';
import { ANALYTICS_LIST, encodeAnalyticsRecord, type AnalyticsRecord } from '../tyk/analytics-record.ts';
import type { Conf } from './conf.ts';
import { log, reasonOf } from './log.ts';

const FLUSH_MS = 200;
const FLUSH_RECORDS = 1000;
const EXPIRY_LOOK_MS = 1000;
const LISTS = 10;

/** Collects analytics records and pushes them to Redis in batches, into the lists that a Pump empties. */
export class Recorder {
  readonly #settings: NonNullable<Conf['analytics']>;
  readonly #redis: Redis;
  readonly #timers: readonly NodeJS.Timeout[];
  #waiting: AnalyticsRecord[] = [];

  constructor(settings: NonNullable<Conf['analytics']>, redis: Redis) {
    this.#settings = settings;
    this.#redis = redis;
    this.#timers = [
      setInterval(() => void this.flush(), FLUSH_MS),
      setInterval(() => void this.#giveExpiry(), EXPIRY_LOOK_MS),
    ];
  }

  record(record: AnalyticsRecord): void {
    this.#waiting.push(record);
    if (this.#waiting.length >= FLUSH_RECORDS) void this.flush();
  }

  /** Pushes what waits. Records that Redis does not take are lost, as they are with a real Gateway. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const records = this.#waiting.map(encodeAnalyticsRecord);
    this.#waiting = [];
    const suffix = this.#settings.multipleLists ? `_${Math.floor(Math.random() * LISTS)}` : '';
    try {
      await this.#redis.rpush(ANALYTICS_LIST + suffix, ...records);
    } catch (error) {
      log('error', `${records.length} analytics records are lost: ${reasonOf(error)}`);
    }
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.flush();
  }

  async #giveExpiry(): Promise<void> {
    const { expirySeconds, multipleLists } = this.#settings;
    if (expirySeconds === undefined) return;
    const several = Array.from({ length: LISTS }, (_, i) => `${ANALYTICS_LIST}_${i}`);
    const lists = multipleLists ? several : [ANALYTICS_LIST];
    const pipeline = this.#redis.pipeline();
    for (const list of lists) pipeline.expire(list, expirySeconds, 'NX');
    await pipeline.exec().catch(() => undefined);
  }
}
