import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { stringify } from 'yaml';
import { configDigest } from '../../../adapters/config/digest.ts';
import { parseConfig } from '../../../adapters/config/load.ts';
import type { Activities } from '../../../activities/index.ts';
import type { Deployment } from '../../../domain/config.ts';
import type { RecoverPlan, StepInput } from '../../../domain/plan.ts';
import type { StepResult } from '../../../domain/run.ts';
import { buildGatewayConf } from '../../../lab/tyk/gateway-conf.ts';
import { compilePlan } from '../../../runbooks/plan.ts';
import { shapeOf } from '../../../runbooks/shape-of.ts';
import { wire } from '../../../worker/wire.ts';
import { CONTROL_SECRET, NODE_SECRET, type RunningGateway } from '../../harness/gateway.ts';
import { REQUEST } from '../../harness/shape.ts';
import { ORG, type Scene } from '../../contract/gateway/scene.ts';

/** A recovered site of one real Gateway program with files, and what stands in front of it. */

export interface Front {
  readonly url: string;
  end(): void;
}

/** Where clients come in; it lets nobody through to the control API, unless it was forgotten. */
export async function startFront(
  target: string,
  { open = false, delayMs = 0 }: { open?: boolean; delayMs?: number },
): Promise<Front> {
  const server: Server = createServer((incoming, outgoing) => {
    if (!open && incoming.url!.startsWith('/tyk')) return void outgoing.writeHead(403).end('Forbidden');
    const forwarded = httpRequest(
      new URL(incoming.url!, target),
      { method: incoming.method!, headers: incoming.headers },
      (answer) => {
        setTimeout(() => {
          outgoing.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(outgoing);
        }, delayMs);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    end: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export interface SiteOptions {
  readonly dir: string;
  readonly scene: Scene;
  readonly gateway: RunningGateway;
  readonly front: Front;
  /** Keys by what they prove. */
  readonly keys: Readonly<Record<'known' | 'wrong' | 'expired' | 'revoked', string>>;
  /** Laid over the tyk.conf that the restore has brought. */
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly confMode?: number;
  readonly changes?: Readonly<Record<string, unknown>>;
  readonly apps: string;
}

interface RunAs {
  readonly run?: string;
  readonly environment?: MockActivityEnvironment;
}

export interface ProvenSite {
  readonly deployment: Deployment;
  readonly plan: RecoverPlan;
  /** Runs a step as the worker of the site would. */
  run(id: keyof Activities, plan?: Partial<RecoverPlan>, as?: RunAs): Promise<StepResult>;
}

export async function proveSite(options: SiteOptions): Promise<ProvenSite> {
  const { dir, scene, gateway, front, keys } = options;
  const secret = async (name: string, value: string): Promise<string> => {
    await writeFile(join(dir, name), value, { mode: 0o600 });
    return `file:${join(dir, name)}`;
  };
  const site = async (name: string, url: string, redisPort: number): Promise<unknown> => {
    const root = join(dir, name, 'gw1');
    await mkdir(join(root, 'certs'), { recursive: true });
    await mkdir(join(dir, name, 'state'));
    await writeFile(join(root, 'certs', 'gateway.pem'), 'a key', { mode: 0o600 });
    const { redis } = scene;
    const source = { appPath: options.apps, policyPath: join(root, 'policies') };
    const { hostname, port } = new URL(url);
    const conf = buildGatewayConf({
      ...{ secret: CONTROL_SECRET, nodeSecret: NODE_SECRET, redis, source },
      ...{ listenPort: Number(port), listenAddress: hostname },
    });
    await writeFile(join(root, 'tyk.conf'), JSON.stringify({ ...conf, ...options.conf }));
    await chmod(join(root, 'tyk.conf'), options.confMode ?? 0o600);
    const service = { start: ['true'], stop: ['true'], status: ['true'] };
    return {
      ...{ worker: name, stateDir: join(dir, name, 'state') },
      redis: {
        port: redisPort,
        password: await secret('redis', redis.password.reveal()),
        dataDir: join(dir, name, 'redis'),
        service,
      },
      gateways: [{ name: 'gw1', url, root, config: 'tyk.conf', include: ['certs'], service }],
    };
  };
  const recipient = (letter: string): string => `age1${letter.repeat(58)}`;
  const config = parseConfig(
    stringify({
      version: 'tyk-dr/v1',
      deployments: {
        acme: {
          ...{ tier: 'critical', organisation: ORG },
          secrets: {
            gateway: await secret('gateway', CONTROL_SECRET.reveal()),
            node: await secret('node', NODE_SECRET.reveal()),
          },
          probes: [
            { name: 'open', path: '/open/' },
            ...(await Promise.all(
              Object.entries(keys).map(async ([kind, key]) => ({
                ...{ name: `${kind} key`, path: '/token/', key: await secret(kind, key) },
                ...{ proves: `${kind}-key`, expect: { status: kind === 'known' ? 200 : 403 } },
              })),
            )),
          ],
          backup: {
            ...{ repository: join(dir, 'sets'), recipients: [recipient('q'), recipient('p')] },
            ...{ identity: 'env:NONE', signingKey: 'env:NONE', trustedKeys: [`ed25519:${'A'.repeat(43)}=`] },
          },
          traffic: {
            ...{ kind: 'haproxy', socket: join(dir, 'socket'), backend: 'b', url: front.url },
            servers: { primary: ['p'], dr: ['d'] },
          },
          sites: {
            primary: await site('primary', 'http://127.0.0.1:9', 10),
            dr: await site('dr', gateway.url, scene.redis.port),
          },
          ...options.changes,
        },
      },
    }),
    'tyk-dr.yaml',
  );
  const deployment = config.deployments['acme']!;
  const plan = compilePlan(shapeOf('acme', deployment), REQUEST);
  const { activities } = wire(config, 'dr', 'test');
  return {
    deployment,
    plan,
    run: async (id, changes = {}, { run = 'rec-test', environment = environmentOf(id) } = {}) => {
      const input: StepInput = {
        ...{ run, step: id, plan: { ...plan, ...changes }, epoch: 1 },
        ...{ configDigest: configDigest(deployment), basisAt: new Date().toISOString() },
        notAfter: new Date(Date.now() + 60_000).toISOString(),
      };
      return await environment.run(activities[id] as (input: StepInput) => Promise<StepResult>, input);
    },
  };
}

function environmentOf(activityType: string): MockActivityEnvironment {
  return new MockActivityEnvironment({ activityType }, { logger: new DefaultLogger('ERROR') });
}
