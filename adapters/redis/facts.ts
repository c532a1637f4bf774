import { createHash, hash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { RedisFacts, RedisSample } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import { parseInfo, type Client } from './client.ts';
import { valueDigest } from './digest.ts';
import { expiriesOf } from './expiry.ts';
import { sizesOf } from './sizes.ts';
import { countKeys } from './mark.ts';
import { ANALYTICS, scanKeys } from './scan.ts';
import { shardsOf, type Keys } from './shards.ts';

/** What a Redis holds: counted on a scratch load at backup, compared on the target after recovery. */

const SAMPLES = 200;

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
  const prefixes = new Map<string, number>();
  const picked: { order: string; key: Buffer }[] = [];
  for await (const batch of scanKeys(client)) {
    for (const key of batch) {
      const prefix = prefixOf(key);
      prefixes.set(prefix, (prefixes.get(prefix) ?? 0) + 1);
      // In one call: a million hash objects would wait for the garbage collector, outside of its heap.
      keepSmallest(picked, { order: hash('sha1', key), key });
    }
  }
  const samples = await takeSamples(
    client,
    await withoutGiants(
      client,
      picked.map(({ key }) => key),
    ),
  ).then((all) => all.map(({ exact: _, ...told }): RedisSample => told));
  const largest = [...prefixes].sort(([, a], [, b]) => b - a).slice(0, 30);
  const now = await keyspace(client);
  // Databases beside ours were loaded as well; then what has expired of ours cannot be told apart.
  const keys = Math.max(now.keys, now.alone ? loaded - dropped : 0);
  // What is gone had an expiry.
  const expires = now.expires + keys - now.keys;
  return { keys, expires, prefixes: Object.fromEntries(largest), samples };
}

/** A value that would fill the worker is counted and not sampled. Where sizes are not to be had, all are. */
async function withoutGiants(client: Client, keys: readonly Buffer[]): Promise<readonly Buffer[]> {
  const bytes = await sizesOf(client, keys);
  return bytes === undefined ? keys : keys.filter((_key, index) => bytes[index]! <= LARGEST_SAMPLE);
}

const LARGEST_SAMPLE = 16 << 20;

/** Keys of the RDB that was loaded, those that had expired included. Redis tells since 7.0. */
async function loadedKeys(client: Client): Promise<number> {
  const info = parseInfo(await client.info('persistence'));
  return Number(info['rdb_last_load_keys_loaded'] ?? 0) + Number(info['rdb_last_load_keys_expired'] ?? 0);
}

const PREFIX_BYTES = 30;
const PREFIX_ENDS = new Set(Buffer.from('-.:'));

function prefixOf(key: Buffer): string {
  const longest = Math.min(key.length, PREFIX_BYTES);
  let end = 0;
  while (end < longest && !PREFIX_ENDS.has(key[end]!)) end += 1;
  return key.toString('latin1', 0, end);
}

/** The same keys whoever counts: those whose hash is smallest. */
function keepSmallest(picked: { order: string; key: Buffer }[], entry: { order: string; key: Buffer }): void {
  if (picked.length === SAMPLES && entry.order >= picked.at(-1)!.order) return;
  if (isVolatile(entry.key)) return;
  const at = picked.findIndex((other) => entry.order < other.order);
  picked.splice(at === -1 ? picked.length : at, 0, entry);
  if (picked.length > SAMPLES) picked.pop();
}

/** All at once over the one connection: one after the other would cost a round trip each. In the order of the keys. */
function takeSamples(target: Keys, keys: readonly Buffer[]): Promise<Sampled[]> {
  const shards = shardsOf(target);
  return Promise.all(keys.map((key) => sample(shards.of(key), key)));
}

async function sample(client: Client, key: Buffer): Promise<Sampled> {
  const [type, expiry] = await Promise.all([client.type(key), expiriesOf(client, [key])]);
  return {
    key: key.toString('base64'),
    type,
    digest: await valueDigest(client, key, type),
    expiresAtMs: expiry.atMs[0]!,
    exact: expiry.exact,
  };
}

interface Sampled extends RedisSample {
  /** Whether the server could tell the expiry to the millisecond. */
  readonly exact: boolean;
}

/** What Gateways write all the time, and make anew: no proof of a restore, and never the same twice. */
const VOLATILE =
  /^(rate-limit-|quota-|cache-|host-checker:|apihealth\.|webhook\.cache\.|introspection-|cert-cooldown:|upstreamOAuth|version-check-|tyk-liveness-probe|tyk-dr:)/;

function isVolatile(key: Buffer): boolean {
  return VOLATILE.test(key.toString('latin1'));
}

/**
 * Removes raw analytics. For a server that serves nobody yet: KEYS holds it up for as long as a walk takes, a tenth of
 * a second for a million keys, and a walk by SCAN takes ten times as long.
 *
 * @returns how many keys.
 */
export async function dropAnalytics(target: Keys): Promise<number> {
  let dropped = 0;
  for (const { client } of shardsOf(target).all) {
    const keys = await client.keysBuffer(ANALYTICS);
    // One by one: those of a Cluster's node lie in many slots.
    await Promise.all(keys.map((key) => client.unlink(key)));
    dropped += keys.length;
  }
  return dropped;
}

/**
 * Compares with what the backup counted. Keys may have expired since: fewer are right as long as no more are
 * missing than had an expiry. `inUse`: Gateways are writing to it already, so that there may be more.
 *
 * @throws DrError DATA_UNPROVEN
 */
export async function compareFacts(
  expected: CountedFacts,
  target: Keys,
  { nowMs = Date.now(), inUse = false }: { nowMs?: number; inUse?: boolean } = {},
): Promise<Proof[]> {
  const least = expected.keys - expected.expires;
  let keys = await countKeys(shardsOf(target));
  if (keys > expected.keys && !inUse) keys = await countWithoutAnalytics(target);
  const range = inUse ? `${least} or more` : `${least} to ${expected.keys}`;
  if ((keys > expected.keys && !inUse) || keys < least) throw unproven('Redis keys', range, keys);
  let equal = 0;
  let expired = 0;
  const sampled = expected.samples.map(({ key }) => Buffer.from(key, 'base64'));
  for (const [index, now] of (await takeSamples(target, sampled)).entries()) {
    const before = expected.samples[index]!;
    const key = sampled[index]!;
    if (now.type === 'none' && before.expiresAtMs > 0 && before.expiresAtMs <= nowMs + EXPIRY_SLACK_MS)
      expired += 1;
    else if (now.digest === before.digest && now.type === before.type && sameExpiry(now, before)) equal += 1;
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

function sameExpiry(now: Sampled, before: RedisSample): boolean {
  if (now.exact || now.expiresAtMs < 0) return now.expiresAtMs === before.expiresAtMs;
  return Math.abs(now.expiresAtMs - before.expiresAtMs) <= EXPIRY_SLACK_MS;
}

/**
 * Raw analytics that expired since the backup are no part of its count and are not found by KEYS to be dropped, and
 * yet they are in DBSIZE until Redis comes to remove them. A walk over their names makes it do so; it is rarely needed.
 */
async function countWithoutAnalytics(target: Keys): Promise<number> {
  for (const { client } of shardsOf(target).all)
    for await (const batch of scanKeys(client, ANALYTICS)) void batch;
  return countKeys(shardsOf(target));
}

/** Redis removes a key a little after or, by its own clock, before we look. */
const EXPIRY_SLACK_MS = 2_000;

async function keyspace(client: Client): Promise<{ keys: number; expires: number; alone: boolean }> {
  const databases = parseInfo(await client.info('keyspace'));
  const own = `db${client.options.db ?? 0}`;
  const [, keys, expires] = /keys=(\d+),expires=(\d+)/.exec(databases[own] ?? '') ?? [];
  const alone = Object.keys(databases).every((name) => name === own);
  return { keys: Number(keys ?? 0), expires: Number(expires ?? 0), alone };
}

function unproven(what: string, expected: string, actual: string | number): DrError {
  return new DrError('DATA_UNPROVEN', { what, expected, actual });
}

/** Where keys are not hashed, the name of one is a credential: it is told apart by its digest. */
function printable(key: Buffer): string {
  const kind = /^[a-z-]{1,20}(?=[-.:])/.exec(key.toString('latin1'))?.[0] ?? 'key';
  return `${kind} ${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}
