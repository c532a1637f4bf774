import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { freePort } from '../../adapters/host/free-port.ts';
import { connect, waitReady, withClient, type Client } from '../../adapters/redis/client.ts';
import { redisPosition } from '../../adapters/redis/replica.ts';
import { withSentinels, type SentinelView } from '../../adapters/redis/sentinels.ts';
import type { SentinelGroup } from '../../adapters/redis/sentinel.ts';
import { compileFailover } from '../../runbooks/failover-plan.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { compileReplicate } from '../../runbooks/replicate-plan.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import type { RecoverRequest } from '../../runbooks/shape.ts';
import { callActivity, type ChildEnd } from './activity.ts';
import { writeDeployment, type TestDeployment } from './deployment.ts';
import { eventually } from './gateway.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from './redis.ts';
import { REQUEST } from './shape.ts';

/** Two sites, each with a server of its own, and three real Sentinels that say which one is the master. */

const NAME = 'tyk';
/** Short, so that a test does not wait for it; long enough for a machine with much to do. */
export const DOWN_AFTER_MS = 2_500;

export type SiteName = 'primary' | 'dr';

export interface Watched {
  readonly dir: string;
  readonly servers: Readonly<Record<SiteName, TestRedis>>;
  readonly sentinels: readonly TestProcess[];
  readonly group: SentinelGroup;
  readonly scene: TestDeployment;
  readonly view: () => Promise<SentinelView>;
  /** The files in which the Sentinels keep what they have been told, and what they have decided. */
  readonly written: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

export interface TestProcess {
  readonly port: number;
  readonly file: string;
  readonly start: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

export async function startWatched(more: Readonly<Record<string, unknown>> = {}): Promise<Watched> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-watched-'));
  const password = join(dir, 'password');
  await writeFile(password, REDIS_PASSWORD.reveal(), { mode: 0o600 });
  const [primary, dr] = await Promise.all([startTestRedis(), startTestRedis()]);
  const servers = { primary, dr };
  const started: TestProcess[] = [];
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing) await each();
    await Promise.all([...started.map(({ kill }) => kill()), primary.close(), dr.close()]);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < 3; index += 1)
      started.push(await startOne(join(dir, `sentinel-${index}.conf`), primary.endpoint.port));
    const node = { host: '127.0.0.1', password: REDIS_PASSWORD };
    const group = { name: NAME, nodes: started.map(({ port }) => ({ ...node, port })) };
    const sentinel = {
      ...{ name: NAME, password: `file:${password}` },
      nodes: started.map(({ port }) => `127.0.0.1:${port}`),
    };
    const redis = (site: SiteName): Record<string, unknown> => {
      const { endpoint, dataDir, configFile, dir: folder } = servers[site];
      const { service, stop } = serviceOf(servers[site], join(folder, 'wanted'));
      closing.push(stop);
      return {
        ...{ port: endpoint.port, dataDir, configFile, sentinel, service },
        password: `file:${password}`,
      };
    };
    const scene = await writeDeployment(join(dir, 'config'), {
      ...{ redis: redis('dr'), primaryRedis: redis('primary') },
      more: { strategy: 'pilot-light', replication: { redis: {} }, ...more },
    });
    const view = (): Promise<SentinelView> => withSentinels(group, (all) => all.look());
    await eventually(async () => {
      for (const { port } of started)
        await withClient({ ...node, port }, async (client) =>
          expect(await client.call('SENTINEL', 'CKQUORUM', NAME)).toContain('OK 3 usable'),
        );
    }, 30_000);
    const written = (): Promise<string[]> => Promise.all(started.map(({ file }) => readFile(file, 'utf8')));
    return { dir, servers, sentinels: started, group, scene, view, written, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startOne(file: string, master: number): Promise<TestProcess> {
  const port = await freePort();
  const password = REDIS_PASSWORD.reveal();
  const lines = [
    ...['bind 127.0.0.1', `port ${port}`, `dir ${tmpdir()}`, `requirepass ${password}`],
    // By this they log in to one another.
    `sentinel sentinel-pass ${password}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${master} 2`,
    `sentinel auth-pass ${NAME} ${password}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 6000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'redis-server', file, '--sentinel'], {
      stdio: 'ignore',
    });
    const endpoint = { host: '127.0.0.1', port, password: REDIS_PASSWORD };
    const client = await eventually(() => connect(endpoint), 30_000);
    // They ask what a server is every ten seconds else, and a test would wait for it.
    await client.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', '500', 'PUBLISH-PERIOD', '1000');
    client.disconnect();
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  await start();
  return { port, file, start, kill };
}

/** Started by asking the test for it, whose child it is: it dies with the test. */
function serviceOf(server: TestRedis, wanted: string): { service: unknown; stop: () => Promise<void> } {
  const cli = `REDISCLI_AUTH=${REDIS_PASSWORD.reveal()} redis-cli -p ${server.endpoint.port}`;
  const answers = `${cli} ping >/dev/null 2>&1`;
  let starting: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (!existsSync(wanted) || starting) return;
    starting = rm(wanted)
      .then(() => server.start())
      .finally(() => (starting = undefined));
  }, 20);
  return {
    service: {
      start: ['sh', '-c', `touch ${wanted}; until ${answers}; do sleep 0.05; done`],
      stop: ['sh', '-c', `${cli} shutdown nosave`],
      status: ['sh', '-c', `${answers} || exit 3`],
    },
    stop: async () => {
      clearInterval(timer);
      await starting;
    },
  };
}

/** Runs a step of a plan as the worker of that site does. */
export type Step = (
  activity: string,
  options?: {
    readonly on?: SiteName;
    readonly more?: readonly unknown[];
    readonly set?: string;
    readonly step?: string;
  },
) => Promise<ChildEnd>;

export function stepsOf({ scene }: Watched, plan: RecoverPlan, run: string): Step {
  const { configFile, deployment } = scene;
  return (activity, { on = 'dr', more = [], set = '', step = activity } = {}) =>
    callActivity({
      ...{ configFile, activity, worker: on, more },
      input: {
        ...{ run, step, plan, set },
        ...{ configDigest: configDigest(deployment), epoch: Date.now() },
        ...{ basisAt: new Date().toISOString(), notAfter: '2999-01-01T00:00:00.000Z' },
      },
    });
}

export function replicating(watched: Watched, to: SiteName, run = 'rep-test'): Step {
  const plan = compileReplicate(shapeOf('acme', watched.scene.deployment), { to, onFailure: 'ask' });
  return stepsOf(watched, plan, run);
}

export function failingOver(
  watched: Watched,
  { to, mode, run = 'fo-test' }: { to: SiteName; mode: 'graceful' | 'forced'; run?: string },
): Step {
  const plan = compileFailover(shapeOf('acme', watched.scene.deployment), {
    ...{ to, mode, onFailure: 'ask', acceptLoss: true },
  });
  return stepsOf(watched, plan, run);
}

export function recovering(watched: Watched, request: Partial<RecoverRequest>, run = 'rec-test'): Step {
  const plan = compilePlan(shapeOf('acme', watched.scene.deployment), { ...REQUEST, ...request });
  return stepsOf(watched, plan, run);
}

/** The result of a step that must not have failed. */
export async function done(end: Promise<ChildEnd>): Promise<NonNullable<ChildEnd['result']>> {
  const { result, error } = await end;
  if (!result) throw new Error(`${error?.code}: ${error?.message}`);
  return result;
}

/** Makes the server of one site follow that of the other, as `replicate` does. */
export async function makeFollow(watched: Watched, to: SiteName): Promise<void> {
  const step = replicating(watched, to, `rep-${to}`);
  await done(step('open-replication', { on: to === 'dr' ? 'primary' : 'dr' }));
  await done(step('follow-redis', { on: to }));
}

export async function untilRole(server: TestRedis, role: 'master' | 'replica'): Promise<void> {
  await eventually(async () => {
    expect(await withClient(server.endpoint, async (client) => (await redisPosition(client)).role)).toBe(
      role,
    );
  }, 30_000);
}

export async function untilNamed(watched: Watched, site: SiteName): Promise<void> {
  const { port } = watched.servers[site].endpoint;
  await eventually(async () => {
    const { named, failingOver: busy } = await watched.view();
    expect(named.map(({ master }) => master.port)).toEqual(named.map(() => port));
    expect(busy).toBe(false);
  }, 30_000);
}

/** A client that writes numbers to whichever server the Sentinels name, and notes what was acknowledged. */
export class SentinelWriter {
  readonly acknowledged: number[] = [];
  readonly #watched: Watched;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let client: Client | undefined;
    for (let number = 1; !this.#stopped; number += 1) {
      try {
        client ??= await this.#connected();
        await client.set(`written-${number}`, String(number));
        this.acknowledged.push(number);
      } catch {
        client?.disconnect();
        client = undefined;
      }
    }
    client?.disconnect();
  }

  async #connected(): Promise<Client> {
    const { master } = await this.#watched.view();
    const client = await waitReady({ ...master, password: REDIS_PASSWORD }, 0);
    const { role } = await redisPosition(client);
    if (role === 'master') return client;
    client.disconnect();
    throw new Error('the Sentinels are ahead of it');
  }
}
