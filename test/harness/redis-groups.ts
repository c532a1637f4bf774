import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { connect, waitReady, type RedisEndpoint } from '../../adapters/redis/client.ts';
import { eventually } from './gateway.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from './redis.ts';

/** Several real servers that belong together: masters of a Cluster, a master and a replica below a Sentinel. */

export interface TestCluster {
  readonly nodes: readonly TestRedis[];
  readonly close: () => Promise<void>;
}

/** One master for each list of slot ranges, `[[0, 5460]]`. */
export async function startCluster(layout: readonly (readonly [number, number])[][]): Promise<TestCluster> {
  const nodes = await Promise.all(layout.map(startNode));
  const [first, ...others] = nodes as [TestRedis, ...TestRedis[]];
  for (const [index, ranges] of layout.entries()) {
    const client = nodes[index]!.client();
    await client.call('CLUSTER', 'ADDSLOTSRANGE', ...ranges.flat());
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const { endpoint } of others) {
    const bus = busPorts.get(endpoint.port)!;
    await first.client().call('CLUSTER', 'MEET', '127.0.0.1', endpoint.port, bus);
  }
  for (const node of nodes)
    await eventually(async () => {
      expect(await node.client().call('CLUSTER', 'INFO')).toContain('cluster_state:ok');
      expect(await node.client().call('CLUSTER', 'INFO')).toContain(`cluster_known_nodes:${nodes.length}`);
    }, 30_000);
  return { nodes, close: async () => void (await Promise.all(nodes.map((node) => node.close()))) };
}

const busPorts = new Map<number, number>();

async function startNode(): Promise<TestRedis> {
  const bus = await freePort();
  const node = await startTestRedis([
    ...['cluster-enabled yes', `cluster-port ${bus}`, 'cluster-node-timeout 5000'],
    // A master alone answers as soon as it knows its slots.
    'cluster-require-full-coverage yes',
  ]);
  busPorts.set(node.endpoint.port, bus);
  return node;
}

export interface TestSentinel {
  readonly master: TestRedis;
  readonly replica: TestRedis;
  readonly endpoint: RedisEndpoint & { readonly port: number };
  readonly close: () => Promise<void>;
}

export async function startSentinel(name: string, settings: readonly string[] = []): Promise<TestSentinel> {
  const auth = `masterauth ${REDIS_PASSWORD.reveal()}`;
  const master = await startTestRedis([auth, ...settings]);
  const replica = await startTestRedis([auth, `replicaof 127.0.0.1 ${master.endpoint.port}`, ...settings]);
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-sentinel-'));
  const port = await freePort();
  const lines = [
    ...['bind 127.0.0.1', `port ${port}`, `dir ${dir}`, `requirepass ${REDIS_PASSWORD.reveal()}`],
    `sentinel monitor ${name} 127.0.0.1 ${master.endpoint.port} 1`,
    `sentinel auth-pass ${name} ${REDIS_PASSWORD.reveal()}`,
    `sentinel failover-timeout ${name} 5000`,
  ];
  const file = join(dir, 'sentinel.conf');
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const words = ['--pdeathsig', 'KILL', '--', 'redis-server', file, '--sentinel'];
  const child = spawn('setpriv', words, { stdio: 'ignore' });
  const endpoint = { host: '127.0.0.1', port, password: REDIS_PASSWORD };
  const close = async (): Promise<void> => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await Promise.all([exited, master.close(), replica.close()]);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const sentinel = await eventually(() => connect(endpoint), 30_000);
    await eventually(async () => {
      const known = JSON.stringify(await sentinel.call('SENTINEL', 'REPLICAS', name));
      expect(known).toContain('master-link-status","ok');
    }, 30_000);
    sentinel.disconnect();
    await (await waitReady(replica.endpoint, 30_000)).quit();
  } catch (error) {
    await close();
    throw error;
  }
  return { master, replica, endpoint, close };
}
