import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { addressOf, connect, explained, parseInfo, type Client, type RedisEndpoint } from './client.ts';
import { isCurrent, masterAddress, replicaAddresses, type SentinelGroup } from './sentinel.ts';
import { keySlot, openSlots, parseClusterNodes, slotOwners, slotProblem, type ClusterNode } from './slots.ts';

/** One Redis, the master that Sentinels tell, or all masters of a Cluster: to everybody else they are shards. */

export interface RedisStore {
  /** Login, TLS and database for every data node; the address too where there is only one. */
  readonly node: RedisEndpoint;
  readonly sentinel?: SentinelGroup;
  readonly cluster?: readonly RedisEndpoint[];
}

export interface Shard {
  readonly client: Client;
  readonly endpoint: RedisEndpoint;
  /** Whether the shard has the key; its node may hold others that moved away. */
  readonly owns: (key: Buffer) => boolean;
  readonly role: 'master' | 'replica';
}

export interface Shards {
  readonly all: readonly Shard[];
  of(key: Buffer): Client;
  /** Which masters have what: equal as long as the cluster has not changed. */
  readonly layout: string;
}

/** What the adapters of keys work on: one client, or several. */
export type Keys = Client | Shards;

export function shardsOf(keys: Keys): Shards {
  if ('all' in keys) return keys;
  const only: Shard = { client: keys, endpoint: {}, owns: () => true, role: 'master' };
  return { all: [only], of: () => keys, layout: '' };
}

/** Says where a store is, for people. */
export function storeAddress({ node, sentinel, cluster }: RedisStore): string {
  if (sentinel) return `${sentinel.name} (Sentinel ${sentinel.nodes.map(addressOf).join(', ')})`;
  return cluster ? cluster.map(addressOf).join(', ') : addressOf(node);
}

/** @throws DrError STORE_UNREACHABLE, REDIS_DENIED, REDIS_SENTINEL, REDIS_CLUSTER_UNSOUND */
export async function withMasters<T>(store: RedisStore, work: (shards: Shards) => Promise<T>): Promise<T> {
  return closing(await openMasters(store), work);
}

/** For reading: a replica of each shard where one is current, else its master. */
export async function withReaders<T>(store: RedisStore, work: (shards: Shards) => Promise<T>): Promise<T> {
  return closing(await openReaders(store), work);
}

/** Waits until every master answers and has finished loading. */
export async function waitForMasters(
  store: RedisStore,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      const loading = await withMasters(store, async ({ all }) => {
        const infos = await Promise.all(all.map(({ client }) => client.info('persistence')));
        return infos.some((info) => parseInfo(info)['loading'] !== '0');
      });
      if (!loading) return;
      if (performance.now() > deadline)
        throw new DrError('STORE_UNREACHABLE', {
          store: 'Redis',
          address: storeAddress(store),
          reason: 'it is still loading',
        });
    } catch (error) {
      const final = !(error instanceof DrError) || error.code === 'REDIS_DENIED';
      if (final || performance.now() > deadline) throw error;
    }
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

const POLL_MS = 50;

async function closing<T>(shards: Shards, work: (shards: Shards) => Promise<T>): Promise<T> {
  try {
    return await work(shards);
  } catch (error) {
    throw explained(error, shards.all[0]!.endpoint);
  } finally {
    for (const { client } of shards.all) client.disconnect();
  }
}

export async function openMasters(store: RedisStore): Promise<Shards> {
  if (store.cluster) return openCluster(store, store.cluster);
  const endpoint = await masterOf(store);
  const client = await connect(endpoint);
  const only: Shard = { client, endpoint, owns: () => true, role: 'master' };
  return { all: [only], of: () => client, layout: addressOf(endpoint) };
}

async function masterOf({ node, sentinel }: RedisStore): Promise<RedisEndpoint> {
  return sentinel ? { ...node, ...(await masterAddress(sentinel)) } : node;
}

async function openReaders(store: RedisStore): Promise<Shards> {
  const masters = await openMasters(store);
  const shards: Shard[] = [];
  try {
    for (const shard of masters.all) shards.push(await readerOf(store, shard));
  } catch (error) {
    for (const { client } of [...masters.all, ...shards]) client.disconnect();
    throw error;
  }
  const readers = new Map(masters.all.map(({ client }, index) => [client, shards[index]!.client]));
  return { all: shards, of: (key) => readers.get(masters.of(key))!, layout: masters.layout };
}

/** Takes the master's place where it can; then the master is let go. */
async function readerOf(store: RedisStore, master: Shard): Promise<Shard> {
  for (const address of await replicasOf(store, master)) {
    const endpoint = { ...store.node, ...address };
    const client = await connect(endpoint).catch(() => undefined);
    if (!client) continue;
    const current = await isCurrent(client, master.client).catch(() => false);
    if (current) {
      // Only a Cluster needs to be told that reading here is meant.
      if (store.cluster) await client.readonly();
      master.client.disconnect();
      return { ...master, client, endpoint, role: 'replica' };
    }
    client.disconnect();
  }
  return master;
}

async function replicasOf(store: RedisStore, master: Shard): Promise<Pick<RedisEndpoint, 'host' | 'port'>[]> {
  if (store.sentinel) return replicaAddresses(store.sentinel);
  if (!store.cluster) return [];
  const nodes = parse(await clusterNodes(master.client), master.endpoint, store);
  const self = nodes.find(({ host, port }) => host === master.endpoint.host && port === master.endpoint.port);
  return nodes.filter(({ of, sound }) => sound && of !== undefined && of === self?.id);
}

async function openCluster(store: RedisStore, seeds: readonly RedisEndpoint[]): Promise<Shards> {
  const { text, seed } = await askAny(seeds);
  const nodes = parse(text, seed, store);
  const moving = openSlots(text);
  const problem =
    slotProblem(nodes) ?? (moving.length > 0 ? `slot ${moving.join(', ')} is being moved` : undefined);
  if (problem !== undefined)
    throw new DrError('REDIS_CLUSTER_UNSOUND', { address: addressOf(seed), reason: problem });
  const owners = slotOwners(nodes) as ClusterNode[];
  const masters = [...new Set(owners)].sort((a, b) => (a.id < b.id ? -1 : 1));
  const clients = new Map<ClusterNode, Client>();
  try {
    for (const master of masters) clients.set(master, await connect(endpointOf(store, master)));
  } catch (error) {
    for (const client of clients.values()) client.disconnect();
    throw error;
  }
  return {
    all: masters.map((master) => ({
      client: clients.get(master)!,
      endpoint: endpointOf(store, master),
      owns: (key) => owners[keySlot(key)] === master,
      role: 'master',
    })),
    of: (key) => clients.get(owners[keySlot(key)]!)!,
    layout: masters.map(({ id, slots }) => `${id} ${JSON.stringify(slots)}`).join('\n'),
  };
}

async function askAny(seeds: readonly RedisEndpoint[]): Promise<{ text: string; seed: RedisEndpoint }> {
  let failure: unknown;
  for (const seed of seeds) {
    try {
      const client = await connect(seed);
      try {
        return { text: await clusterNodes(client), seed };
      } finally {
        client.disconnect();
      }
    } catch (error) {
      failure = clusterOff(error, seed) ?? explained(error, seed);
    }
  }
  throw failure;
}

async function clusterNodes(client: Client): Promise<string> {
  return String(await client.call('CLUSTER', 'NODES'));
}

function clusterOff(error: unknown, seed: RedisEndpoint): DrError | undefined {
  if (!(error instanceof Error) || !error.message.includes('cluster support disabled')) return undefined;
  return new DrError('REDIS_CLUSTER_UNSOUND', { address: addressOf(seed), reason: 'this is no Cluster' });
}

function parse(text: string, seed: RedisEndpoint, { node }: RedisStore): ClusterNode[] {
  return parseClusterNodes(text, seed.host ?? '127.0.0.1', node.tls !== undefined);
}

function endpointOf({ node }: RedisStore, { host, port }: ClusterNode): RedisEndpoint {
  return { ...node, host, port };
}
