import { DrError } from '../../domain/errors.ts';
import { addressOf, connect, parseInfo, type Client, type RedisEndpoint } from './client.ts';

/** Where Sentinels say that the master and its replicas are. */

/** A replica that is this far behind would make the backup older than the master's own by a moment that matters. */
const CURRENT_BYTES = 1 << 20;
/** A master pings its replicas every ten seconds; one that has heard nothing for longer has lost it. */
const SILENCE_SECONDS = 15;

export interface SentinelGroup {
  readonly name: string;
  readonly nodes: readonly RedisEndpoint[];
}

type Address = Pick<RedisEndpoint, 'host' | 'port'>;

/** @throws DrError REDIS_SENTINEL where none of them knows. */
export async function masterAddress(group: SentinelGroup): Promise<Address> {
  return ask(group, async (sentinel) => {
    const answer = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name)) as
      [string, string] | null;
    if (answer === null) throw new Error('it knows no master of this name');
    return { host: answer[0], port: Number(answer[1]) };
  });
}

/** Those that the Sentinels take for sound and linked to their master. */
export async function replicaAddresses(group: SentinelGroup): Promise<Address[]> {
  return ask(group, async (sentinel) => {
    const rows = (await sentinel.call('SENTINEL', 'REPLICAS', group.name)) as unknown[];
    return rows
      .map(asFields)
      .filter(
        (row) =>
          row['master-link-status'] === 'ok' &&
          !/down|disconnected/.test(row['flags'] ?? '') &&
          row['ip'] !== undefined,
      )
      .map((row) => ({ host: row['ip']!, port: Number(row['port']) }));
  });
}

/** A list of names and values, or an object of them: it depends on the protocol. */
export function asFields(row: unknown): Record<string, string> {
  if (!Array.isArray(row)) return row as Record<string, string>;
  const flat = row as string[];
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!]] : []));
  return Object.fromEntries(pairs) as Record<string, string>;
}

async function ask<T>({ name, nodes }: SentinelGroup, work: (sentinel: Client) => Promise<T>): Promise<T> {
  const reasons: string[] = [];
  for (const node of nodes) {
    try {
      const sentinel = await connect(node);
      try {
        return await work(sentinel);
      } finally {
        sentinel.disconnect();
      }
    } catch (error) {
      const reason = error instanceof DrError ? String(error.details['reason']) : (error as Error).message;
      reasons.push(`${addressOf(node)}: ${reason}`);
    }
  }
  throw new DrError('REDIS_SENTINEL', {
    name,
    nodes: nodes.map(addressOf).join(', '),
    reason: reasons.join('; '),
  });
}

/** Whether what a replica holds is what its master holds, as nearly as replication goes. */
export async function isCurrent(replica: Client, master: Client): Promise<boolean> {
  const [here, there] = (await Promise.all([replica.info('replication'), master.info('replication')])).map(
    parseInfo,
  );
  if (here!['master_link_status'] !== 'up' || here!['master_sync_in_progress'] !== '0') return false;
  if (Number(here!['master_last_io_seconds_ago'] ?? Infinity) > SILENCE_SECONDS) return false;
  const behind = Number(there!['master_repl_offset']) - Number(here!['slave_repl_offset']);
  return Number.isFinite(behind) && behind <= CURRENT_BYTES;
}
