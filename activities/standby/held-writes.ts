import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeDurably } from '../../adapters/files/durable.ts';
import { exists } from '../../adapters/files/exists.ts';
import { readJson } from '../../adapters/files/read-json.ts';
import { parseInfo, withClient, type Client, type RedisEndpoint } from '../../adapters/redis/client.ts';
import { holdWrites, keep, redisPosition, releaseWrites } from '../../adapters/redis/replica.ts';

/** Writes to the Redis of a site that hands over: held, refused afterwards, and taken again. */

/** Long enough to become level and to fence; then Redis refuses writes rather than taking them again. */
const HOLD_MS = 60_000;
const NO_SUCH_NUMBER_OF_REPLICAS = '1000000';

const heldFile = (stateDir: string): string => join(stateDir, 'writes-held.json');

export const areWritesHeld = (stateDir: string): Promise<boolean> => exists(heldFile(stateDir));

/** Settings of Redis as they were. */
interface Held {
  readonly minReplicas: string;
  /** Present where it was taken away. */
  readonly save?: string;
}

/** Its append-only log is on, and none is being made anew: what it was told is all in there once it has ended. */
async function hasWholeLog(client: Client): Promise<boolean> {
  const info = parseInfo(await client.info('persistence'));
  return info['aof_enabled'] === '1' && info['aof_rewrite_in_progress'] === '0';
}

export async function stopTakingWrites(client: Client, stateDir: string): Promise<void> {
  const [, before = '0'] = await client.config('GET', 'min-replicas-to-write');
  const [, save = ''] = await client.config('GET', 'save');
  const isLogged = await hasWholeLog(client);
  if (before !== NO_SUCH_NUMBER_OF_REPLICAS) {
    await mkdir(stateDir, { recursive: true });
    const held: Held = { minReplicas: before, ...(isLogged && save !== '' ? { save } : {}) };
    await writeDurably(heldFile(stateDir), JSON.stringify(held));
  }
  await holdWrites(client, HOLD_MS);
  await client.config('SET', 'min-replicas-to-write', NO_SUCH_NUMBER_OF_REPLICAS);
  // Whoever stops it waits, and clients with them, until it has written all of its keys once more: a GB takes seconds.
  // Last: a call that is repeated before that notes the setting as it was.
  if (isLogged) await client.config('SET', 'save', '');
}

/**
 * May be repeated. Sentinels that have made this server a replica meanwhile have written its configuration file anew, with
 * what we had set: there, too, it is taken back.
 */
export async function takeWritesAgain(client: Client, stateDir: string): Promise<void> {
  const [, now] = await client.config('GET', 'min-replicas-to-write');
  if (now === NO_SUCH_NUMBER_OF_REPLICAS) {
    const { minReplicas = '0', save }: Partial<Held> =
      (await readJson(heldFile(stateDir)).catch(() => undefined)) ?? {};
    if (save !== undefined) await client.config('SET', 'save', save);
    await client.config('SET', 'min-replicas-to-write', minReplicas);
    if ((await redisPosition(client)).role === 'replica') await keep(client);
  }
  await releaseWrites(client);
  await rm(heldFile(stateDir), { force: true });
}

/** How long Sentinels that were held up with the writes need to make it a replica. */
const TURN_MS = 20_000;
const POLL_MS = 50;

/**
 * Where Sentinels have made another one the master meanwhile: what waits here is refused, not taken and lost, until this
 * server follows.
 *
 * @returns whether it does by then
 */
export async function refuseHeldWrites(server: RedisEndpoint, signal: AbortSignal): Promise<boolean> {
  await withClient(server, releaseWrites);
  const deadline = Date.now() + TURN_MS;
  while (Date.now() < deadline) {
    // They cut its connections when they turn it round.
    const position = await withClient(server, redisPosition).catch(() => undefined);
    if (position?.role === 'replica') return true;
    await sleep(POLL_MS, undefined, { signal });
  }
  return false;
}
