import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import type { RedisEndpoint } from '../adapters/redis/client.ts';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { withClient as withPostgres, type Connection } from '../adapters/postgres/client.ts';
import { withDatabase, type MongoEndpoint } from '../adapters/mongodb/client.ts';
import { latencyOf, type Latency } from './figures.ts';
import { Secret } from '../domain/secret.ts';

/**
 * A client of each store in a process of its own: one small write and one read after the other until it is told to
 * stop by SIGTERM, each timed. What it was told comes by standard input, for passwords are in it; to standard output it
 * says `ready`, and at the end what it saw.
 */

export interface ProbeTargets {
  readonly redis?: { readonly port: number; readonly password: string };
  readonly postgres?: Omit<Connection, 'password'> & { readonly password: string };
  readonly mongodb?: { readonly host: string; readonly port: number; readonly database: string };
}

/** A table, a key, a collection of the lab. */
const PROBE_NAME = 'tyk_dr_bench_probe';
/** Clients are not at it every moment; a stall of a few milliseconds is seen all the same. */
const PAUSE_MS = 5;
const WARM = 20;

const targets = JSON.parse(await text(process.stdin)) as ProbeTargets;
let stopped = false;
/** Probes that have not yet had their first answers: whoever waits is told when there are none. */
let cold = Object.keys(targets).length;
process.once('SIGTERM', () => (stopped = true));
try {
  // Clients run on machines of their own: they do not wait for the processors that a backup keeps busy.
  setPriority(-20);
} catch {
  // Not root: the same for both sides.
}
const [redis, postgres, mongodb] = await Promise.all([
  targets.redis && probeRedis({ ...targets.redis, password: new Secret(targets.redis.password) }),
  targets.postgres && probePostgres({ ...targets.postgres, password: new Secret(targets.postgres.password) }),
  targets.mongodb && probeMongo(targets.mongodb),
]);
process.stdout.write(JSON.stringify({ redis, postgres, mongodb }));

async function probeRedis(endpoint: RedisEndpoint): Promise<Latency> {
  return withRedis(endpoint, async (client) => {
    const seen = await repeat(
      (turn) => client.set(PROBE_NAME, String(turn)),
      () => client.get(PROBE_NAME),
    );
    await client.del(PROBE_NAME);
    return seen;
  });
}

async function probePostgres(connection: Connection): Promise<Latency> {
  return withPostgres(connection, async (client) => {
    await client.query(`CREATE TABLE IF NOT EXISTS ${PROBE_NAME} (id int PRIMARY KEY, turn bigint)`);
    await client.query(`INSERT INTO ${PROBE_NAME} VALUES (1, 0) ON CONFLICT DO NOTHING`);
    // The table stays: a set holds it, and a recovery to the archive's end would rightly miss it.
    return repeat(
      (turn) => client.query(`UPDATE ${PROBE_NAME} SET turn = $1 WHERE id = 1`, [turn]),
      () => client.query(`SELECT turn FROM ${PROBE_NAME} WHERE id = 1`),
    );
  });
}

async function probeMongo(endpoint: MongoEndpoint): Promise<Latency> {
  return withDatabase(endpoint, async (db) => {
    const collection = db.collection(PROBE_NAME);
    await collection.insertOne({ turn: 0 });
    const seen = await repeat(
      (turn) => collection.updateOne({}, { $set: { turn } }),
      () => collection.findOne({}),
    );
    await collection.drop();
    return seen;
  });
}

/** In turns, each call timed on its own. */
async function repeat(...calls: readonly ((turn: number) => Promise<unknown>)[]): Promise<Latency> {
  const times: number[] = [];
  for (let turn = 0; !stopped || turn <= WARM; turn += 1) {
    for (const call of calls) {
      const startedAt = performance.now();
      await call(turn);
      // The first calls open and prepare what later ones use.
      if (turn > WARM) times.push(performance.now() - startedAt);
    }
    if (turn === WARM && (cold -= 1) === 0) process.stdout.write('ready\n');
    await sleep(PAUSE_MS);
  }
  return latencyOf(times);
}
