import { createHash, hash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { RedisFacts, RedisSample } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import { parseInfo, type Client } from './client.ts';
import { valueDigest } from './digest.ts';

/** What a Redis holds: counted on a scratch load at backup, compared on the target after recovery. */

const SAMPLES = 200;
/** Few enough that a batch is gone before V8 moves it to where only a full collection removes it. */
const SCAN_COUNT = 500;
/** Raw analytics that the Pump has already taken when the snapshot comes back: they must not be counted twice. */
const ANALYTICS = 'analytics-*';

export interface CountedFacts extends Pick<RedisFacts, 'keys' | 'expires' | 'prefixes'> {
  readonly samples: readonly RedisSample[];
}

/**
 * Counts a server that has just loaded an RDB: drops raw analytics, then reads every key's name once, and the sampled
 * values. A key that has expired since the RDB was taken is counted all the same: an append-only base, unlike a
 * dump.rdb, brings it back.
 */
export async function collectFacts(client: Client): Promise<CountedFacts> {
  const loaded = await loadedKeys(client);
  const dropped = await dropAnalytics(client);
  const prefixes: Record<string, number> = {};
  const picked: { order: string; key: Buffer }[] = [];
  for await (const batch of scan(client)) {
    for (const key of batch) {
      const prefix = /^[^-.:]*/.exec(key.toString('latin1'))![0].slice(0, 30);
      prefixes[prefix] = (prefixes[prefix] ?? 0) + 1;
      if (isVolatile(key)) continue;
      // In one call: a million hash objects would wait for the garbage collector, outside of its heap.
      keepSmallest(picked, { order: hash('sha1', key), key });
    }
  }
  const samples = await takeSamples(
    client,
    picked.map(({ key }) => key),
  );
  const largest = Object.entries(prefixes)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 30);
  const now = await keyspace(client);
  const keys = Math.max(now.keys, loaded - dropped);
  // What is gone had an expiry.
  const expires = now.expires + keys - now.keys;
  return { keys, expires, prefixes: Object.fromEntries(largest), samples };
}

/** Keys of the RDB that was loaded, those that had expired included. Redis tells since 7.0. */
async function loadedKeys(client: Client): Promise<number> {
  const info = parseInfo(await client.info('persistence'));
  return Number(info['rdb_last_load_keys_loaded'] ?? 0) + Number(info['rdb_last_load_keys_expired'] ?? 0);
}

/** The same keys whoever counts: those whose hash is smallest. */
function keepSmallest(picked: { order: string; key: Buffer }[], entry: { order: string; key: Buffer }): void {
  if (picked.length === SAMPLES && entry.order >= picked.at(-1)!.order) return;
  const at = picked.findIndex((other) => entry.order < other.order);
  picked.splice(at === -1 ? picked.length : at, 0, entry);
  if (picked.length > SAMPLES) picked.pop();
}

/** All at once over the one connection: one after the other would cost a round trip each. In the order of the keys. */
function takeSamples(client: Client, keys: readonly Buffer[]): Promise<RedisSample[]> {
  return Promise.all(keys.map((key) => sample(client, key)));
}

async function sample(client: Client, key: Buffer): Promise<RedisSample> {
  const type = await client.type(key);
  return {
    key: key.toString('base64'),
    type,
    digest: await valueDigest(client, key, type),
    expiresAtMs: Number(await client.call('PEXPIRETIME', key)),
  };
}

/** What Gateways write all the time, and make anew: no proof of a restore, and never the same twice. */
const VOLATILE =
  /^(rate-limit-|quota-|cache-|host-checker:|apihealth\.|webhook\.cache\.|introspection-|cert-cooldown:|upstreamOAuth|version-check-|tyk-liveness-probe)/;

function isVolatile(key: Buffer): boolean {
  return VOLATILE.test(key.toString('latin1'));
}

/**
 * Removes raw analytics. For a server that serves nobody yet: KEYS holds it up for as long as a walk takes, a tenth of
 * a second for a million keys, and a walk by SCAN takes ten times as long.
 *
 * @returns how many keys.
 */
export async function dropAnalytics(client: Client): Promise<number> {
  const keys = await client.keysBuffer(ANALYTICS);
  return keys.length === 0 ? 0 : client.unlink(...keys);
}

/**
 * Compares with what the backup counted. Keys may have expired since: fewer are right as long as no more are
 * missing than had an expiry. `inUse`: Gateways are writing to it already, so that there may be more.
 *
 * @throws DrError DATA_UNPROVEN
 */
export async function compareFacts(
  expected: CountedFacts,
  client: Client,
  { nowMs = Date.now(), inUse = false }: { nowMs?: number; inUse?: boolean } = {},
): Promise<Proof[]> {
  const least = expected.keys - expected.expires;
  let keys = await client.dbsize();
  if (keys > expected.keys && !inUse) keys = await countWithoutAnalytics(client);
  const range = inUse ? `${least} or more` : `${least} to ${expected.keys}`;
  if ((keys > expected.keys && !inUse) || keys < least) throw unproven('Redis keys', range, keys);
  let equal = 0;
  let expired = 0;
  const sampled = expected.samples.map(({ key }) => Buffer.from(key, 'base64'));
  for (const [index, now] of (await takeSamples(client, sampled)).entries()) {
    const before = expected.samples[index]!;
    const key = sampled[index]!;
    if (now.type === 'none' && before.expiresAtMs > 0 && before.expiresAtMs <= nowMs + EXPIRY_SLACK_MS)
      expired += 1;
    else if (
      now.digest === before.digest &&
      now.type === before.type &&
      now.expiresAtMs === before.expiresAtMs
    )
      equal += 1;
    else
      throw unproven(
        `Redis key ${printable(key)}`,
        `${before.type} ${before.digest.slice(0, 12)}, expires ${before.expiresAtMs}`,
        `${now.type} ${now.digest.slice(0, 12)}, expires ${now.expiresAtMs}`,
      );
  }
  return [
    {
      name: 'Redis keys, less what has expired',
      verdict: 'pass',
      expected: range,
      actual: String(keys),
    },
    {
      name: 'sampled values, types and expiries',
      verdict: 'pass',
      expected: `${expected.samples.length} equal or expired`,
      actual: `${equal} equal, ${expired} expired`,
    },
  ];
}

/**
 * Raw analytics that expired since the backup are no part of its count and are not found by KEYS to be dropped, and
 * yet they are in DBSIZE until Redis comes to remove them. A walk over their names makes it do so; it is rarely needed.
 */
async function countWithoutAnalytics(client: Client): Promise<number> {
  for await (const batch of scan(client, ANALYTICS)) void batch;
  return client.dbsize();
}

/** Redis removes a key a little after or, by its own clock, before we look. */
const EXPIRY_SLACK_MS = 2_000;

async function* scan(client: Client, pattern = '*'): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    cursor = next.toString();
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}

async function keyspace(client: Client): Promise<{ keys: number; expires: number }> {
  const text = parseInfo(await client.info('keyspace'))['db0'] ?? '';
  const [, keys, expires] = /keys=(\d+),expires=(\d+)/.exec(text) ?? [];
  return { keys: Number(keys ?? 0), expires: Number(expires ?? 0) };
}

function unproven(what: string, expected: string, actual: string | number): DrError {
  return new DrError('DATA_UNPROVEN', { what, expected, actual });
}

/** Where keys are not hashed, the name of one is a credential: it is told apart by its digest. */
function printable(key: Buffer): string {
  const kind = /^[a-z-]{1,20}(?=[-.:])/.exec(key.toString('latin1'))?.[0] ?? 'key';
  return `${kind} ${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}
