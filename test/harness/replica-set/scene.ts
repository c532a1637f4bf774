import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../../adapters/config/load.ts';
import { configDigest } from '../../../adapters/config/digest.ts';
import type { Deployment } from '../../../domain/config.ts';
import type { FailoverMode } from '../../../domain/failover.ts';
import type { RecoverPlan, StepInput } from '../../../domain/plan.ts';
import type { StepResult } from '../../../domain/run.ts';
import { compileFailover } from '../../../runbooks/failover-plan.ts';
import { compilePlan } from '../../../runbooks/plan.ts';
import { compileReplicate } from '../../../runbooks/replicate-plan.ts';
import { shapeOf } from '../../../runbooks/shape-of.ts';
import { callActivity, type ChildEnd } from '../activity.ts';
import { writeDeployment } from '../deployment.ts';
import { REQUEST } from '../shape.ts';
import type { Member } from './member.ts';
import { ReplicaSetStandIn } from './set.ts';

/** A deployment of two sites whose MongoDB are members of the stand-in's set; its steps, called one by one as a run does. */

export type SiteName = 'primary' | 'dr';

export interface ReplicaScene {
  readonly set: ReplicaSetStandIn;
  readonly configFile: string;
  readonly deployment: Deployment;
  readonly primary: Member;
  readonly dr: Member;
  /** A run of replicate or failover to a site. */
  run(to: SiteName, mode?: FailoverMode, acceptLoss?: boolean): SceneRun;
  /** One that recovers dr from a backup. */
  recover(): SceneRun;
  /** Client of the whole set, as the Dashboard is one. */
  client(): MongoClient;
  close(): Promise<void>;
}

export class SceneRun {
  readonly id: string;
  readonly plan: RecoverPlan;
  readonly #scene: { readonly configFile: string; readonly deployment: Deployment };
  readonly #epoch: number;

  constructor(
    scene: { readonly configFile: string; readonly deployment: Deployment },
    plan: RecoverPlan,
    epoch: number,
  ) {
    this.id = `${plan.failover ? 'fo' : plan.replicate ? 'rep' : 'rec'}-test-${epoch}`;
    this.plan = plan;
    this.#scene = scene;
    this.#epoch = epoch;
  }

  /** On the worker that its row names. */
  call(step: string, more: readonly unknown[] = [], activity = step): Promise<ChildEnd> {
    const input: StepInput = {
      ...{ run: this.id, step, set: '', plan: this.plan, epoch: this.#epoch },
      configDigest: configDigest(this.#scene.deployment),
      ...{ basisAt: new Date().toISOString(), notAfter: '2999-01-01T00:00:00.000Z' },
    };
    const worker = AT_SOURCE.includes(activity) ? this.plan.from : this.plan.to;
    return callActivity({ configFile: this.#scene.configFile, activity, input, more, worker });
  }

  /** @throws Error where it fails */
  async step<Result extends StepResult = StepResult>(
    step: string,
    more: readonly unknown[] = [],
    activity = step,
  ): Promise<Result> {
    const { result, error } = await this.call(step, more, activity);
    if (error) throw new Error(`${activity}: ${error.code}: ${error.message}`);
    return result as Result;
  }
}

const AT_SOURCE = [
  ...['check-source', 'open-replication', 'close-replication', 'make-synchronous'],
  ...['stop-writes', 'resume-writes', 'fence-source'],
];

export async function startReplicaScene(more: Readonly<Record<string, unknown>> = {}): Promise<ReplicaScene> {
  const set = await ReplicaSetStandIn.start(3);
  const [primary, dr] = set.members as [Member, Member, Member];
  const control = await controlOf(set);
  const { configFile } = await writeDeployment(join(set.dir, 'deployment'), {});
  const config = parse(await readFile(configFile, 'utf8')) as {
    deployments: { acme: { sites: Record<SiteName, Record<string, unknown>> } & Record<string, unknown> };
  };
  const { acme } = config.deployments;
  Object.assign(acme, { strategy: 'pilot-light', replication: {}, ...more });
  for (const [site, member] of [
    ['primary', primary],
    ['dr', dr],
  ] as const)
    acme.sites[site]['database'] = {
      ...{ kind: 'mongodb', port: member.port, replicaSet: set.name, dataDir: member.dir },
      service: serviceOf(control, set.members.indexOf(member)),
    };
  await writeFile(configFile, stringify(config), { mode: 0o600 });
  const deployment = (await loadConfig(configFile)).deployments['acme']!;
  const shape = shapeOf('acme', deployment);
  const clients: MongoClient[] = [];
  let epoch = 0;
  return {
    ...{ set, configFile, deployment, primary, dr },
    run: (to, mode, acceptLoss = false) => {
      const plan = mode
        ? compileFailover(shape, { to, mode, onFailure: 'ask', acceptLoss })
        : compileReplicate(shape, { to, onFailure: 'ask' });
      return new SceneRun({ configFile, deployment }, plan, (epoch += 1));
    },
    recover: () => {
      const plan = compilePlan(shape, REQUEST);
      return new SceneRun({ configFile, deployment }, plan, (epoch += 1));
    },
    client: () => {
      const hosts = [primary, dr].map(({ name }) => name).join(',');
      const made = new MongoClient(`mongodb://${hosts}/?replicaSet=${set.name}`, {
        heartbeatFrequencyMS: 500,
      });
      clients.push(made);
      return made;
    },
    close: async () => {
      await Promise.all(clients.map((each) => each.close()));
      control.close();
      await set.close();
    },
  };
}

/** Members are started and stopped by commands, as services are. */
async function controlOf(set: ReplicaSetStandIn): Promise<Server> {
  const server = createServer((request, response) => {
    const [, index, action] = request.url!.split('/');
    const member = set.members[Number(index)]!;
    const done = action === 'start' ? member.start() : action === 'stop' ? member.stop() : Promise.resolve();
    void done.then(
      () => response.writeHead(action === 'status' && !member.up ? 404 : 200).end(),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function serviceOf(server: Server, index: number): Record<string, string[]> {
  const { port } = server.address() as { port: number };
  const url = (action: string): string => `http://127.0.0.1:${port}/${index}/${action}`;
  return {
    start: ['curl', '-sf', url('start')],
    stop: ['curl', '-sf', url('stop')],
    status: ['sh', '-c', `curl -sf ${url('status')} || exit 3`],
  };
}
