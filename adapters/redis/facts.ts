import { createHash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { RedisFacts, RedisSample } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import { parseInfo, type Client } from './client.ts';
import { valueDigest } from './digest.ts';

/** What a Redis holds: counted on a scratch load at backup, compared on the target after recovery. */

const SAMPLES = 200;
const SCAN_COUNT = 2_000;
/** Raw analytics that the Pump has already taken when the snapshot comes back: they must not be counted twice. */
const ANALYTICS = 'analytics-*';

export interface CountedFacts extends Pick<RedisFacts, 'keys' | 'expires' | 'prefixes'> {
  readonly samples: readonly RedisSample[];
}

/** Reads every key's name once, and the sampled values. */
export async function collectFacts(client: Client): Promise<CountedFacts> {
  const prefixes: Record<string, number> = {};
  const picked: { order: string; key: Buffer }[] = [];
  let keys = 0;
  for await (const batch of scan(client)) {
    for (const key of batch) {
      keys += 1;
      const prefix = /^[^-.:]*/.exec(key.toString('latin1'))![0].slice(0, 30);
      prefixes[prefix] = (prefixes[prefix] ?? 0) + 1;
      if (isVolatile(key)) continue;
      keepSmallest(picked, { order: createHash('sha1').update(key).digest('hex'), key });
    }
  }
  const samples: RedisSample[] = [];
  for (const { key } of picked) samples.push(await sample(client, key));
  const largest = Object.entries(prefixes)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 30);
  return { keys, expires: await countExpires(client), prefixes: Object.fromEntries(largest), samples };
}

/** The same keys whoever counts: those whose hash is smallest. */
function keepSmallest(picked: { order: string; key: Buffer }[], entry: { order: string; key: Buffer }): void {
  if (picked.length === SAMPLES && entry.order >= picked.at(-1)!.order) return;
  const at = picked.findIndex((other) => entry.order < other.order);
  picked.splice(at === -1 ? picked.length : at, 0, entry);
  if (picked.length > SAMPLES) picked.pop();
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

/** Removes raw analytics. @returns how many keys. */
export async function dropAnalytics(client: Client): Promise<number> {
  let dropped = 0;
  for await (const batch of scan(client, ANALYTICS)) dropped += await client.unlink(...batch);
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
  client: Client,
  { nowMs = Date.now(), inUse = false }: { nowMs?: number; inUse?: boolean } = {},
): Promise<Proof[]> {
  const keys = await client.dbsize();
  const least = expected.keys - expected.expires;
  const range = inUse ? `${least} or more` : `${least} to ${expected.keys}`;
  if ((keys > expected.keys && !inUse) || keys < least) throw unproven('Redis keys', range, keys);
  let equal = 0;
  let expired = 0;
  for (const before of expected.samples) {
    const key = Buffer.from(before.key, 'base64');
    const now = await sample(client, key);
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

/** Redis removes a key a little after or, by its own clock, before we look. */
const EXPIRY_SLACK_MS = 2_000;

async function* scan(client: Client, match = '*'): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', match, 'COUNT', SCAN_COUNT);
    cursor = next.toString();
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}

async function countExpires(client: Client): Promise<number> {
  const keyspace = parseInfo(await client.info('keyspace'));
  return Number(/expires=(\d+)/.exec(keyspace['db0'] ?? '')?.[1] ?? 0);
}

function unproven(what: string, expected: string, actual: string | number): DrError {
  return new DrError('DATA_UNPROVEN', { what, expected, actual });
}

/** Where keys are not hashed, the name of one is a credential: it is told apart by its digest. */
function printable(key: Buffer): string {
  const kind = /^[a-z-]{1,20}(?=[-.:])/.exec(key.toString('latin1'))?.[0] ?? 'key';
  return `${kind} ${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}
