import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { lockHolder } from '../../adapters/temporal/lock.ts';
import { lockId, RECORD_QUERY, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import {
  fingerprint,
  MONITOR_QUERY,
  monitorId,
  type LiveAnswer,
  type MonitorMemory,
  type MonitorSettings,
  type MonitorSummary,
  type ObserveInput,
  type View,
} from '../../domain/monitor.ts';
import type { Notice } from '../../domain/notice.ts';
import type { RecoverInput, StepInput } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import type { MonitorInput } from '../../runbooks/monitor-input.ts';
import type { DeploymentShape } from '../../runbooks/shape.ts';
import { viewOf, type Sight } from './monitor-views.ts';
import { fakes, type Fakes } from './recover-input.ts';
import { FULL_SHAPE } from './shape.ts';
import { withWorkers } from './temporal.ts';

/** A monitor on a real Temporal server, with observers that see what a test lets them see. */

export const FAIL_AFTER_MS = 600;

const PATIENCE_MS = 30_000;
const POLL_MS = 150;

export interface Scene {
  readonly deployment: string;
  readonly handle: WorkflowHandle;
  /** By observer; one that is `silent` fails. */
  readonly sees: Map<string, Sight | 'silent'>;
  /** The site whose stores run. */
  live: string;
  readonly fenced: Set<string>;
  readonly told: Notice[];
  /** What is measured of the exposure: undefined where nobody can. */
  exposureMs: number | undefined;
  /** Waits for a state in which this holds. */
  reaches(holds: (summary: MonitorSummary) => boolean): Promise<MonitorSummary>;
  run(): WorkflowHandle;
  /** Its record, once this holds. */
  runReaches(holds: (record: RunRecord) => boolean): Promise<RunRecord>;
  inputOfRun(): Promise<RecoverInput>;
}

export interface SceneOptions {
  readonly settings?: Partial<MonitorSettings>;
  readonly shape?: Partial<DeploymentShape> & { readonly strategy?: string };
  readonly memory?: MonitorMemory;
  /** What the steps of runs do. */
  readonly steps?: (scene: Scene) => Fakes;
}

/** The workers of all scenes of a file, so that these may be played at the same time. */
export class Stage {
  readonly #environment: TestWorkflowEnvironment;
  readonly #scenes = new Map<string, { readonly scene: Scene; readonly steps: Fakes }>();
  readonly #running: Promise<void>;
  #leave: () => void = () => undefined;

  constructor(environment: TestWorkflowEnvironment) {
    this.#environment = environment;
    const names = ['primary', 'dr', 'witness'];
    this.#running = withWorkers(
      environment,
      Object.fromEntries(names.map((name) => [name, this.#activities(name)])),
      () => new Promise((resolve) => (this.#leave = resolve)),
    );
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#running;
  }

  async play(options: SceneOptions, work: (scene: Scene) => Promise<void>): Promise<void> {
    const { client } = this.#environment;
    const deployment = `acme-${randomUUID().slice(0, 8)}`;
    const observers = options.settings?.observers ?? ['primary', 'dr', 'witness'];
    const scene = sceneOf(this.#environment, deployment, observers);
    this.#scenes.set(deployment, { scene, steps: fakes(options.steps?.(scene) ?? {}).activities });
    await client.workflow.start('monitor', {
      workflowId: monitorId(deployment),
      taskQueue: WORKFLOW_QUEUE,
      args: [inputOf(deployment, observers, options)],
    });
    try {
      await work(scene);
    } finally {
      for (const open of [scene.handle, scene.run()])
        await open.terminate('the test is over').catch(() => undefined);
    }
  }

  #activities(name: string) {
    const environment = this.#environment;
    const of = (deployment: string) => this.#scenes.get(deployment)!;
    const steps = Object.fromEntries(
      Object.keys(fakes().activities).map((id) => [
        id,
        (input: StepInput, ...more: never[]) => of(input.plan.deployment).steps[id]!(input, ...more),
      ]),
    );
    return { ...steps, ...lookers(environment, name, (deployment) => of(deployment).scene) };
  }
}

function sceneOf(
  { client }: TestWorkflowEnvironment,
  deployment: string,
  observers: readonly string[],
): Scene {
  const handle = client.workflow.getHandle(monitorId(deployment));
  const scene: Scene = {
    ...{ deployment, handle, live: 'primary', fenced: new Set(), told: [], exposureMs: 1_000 },
    sees: new Map(observers.map((observer) => [observer, observer === 'primary' ? { own: true } : {}])),
    reaches: (holds) => until(() => handle.query<MonitorSummary>(MONITOR_QUERY), holds),
    runReaches: (holds) => until(() => scene.run().query<RunRecord>(RECORD_QUERY), holds),
    run: () => client.workflow.getHandle(lockId(deployment)),
    async inputOfRun() {
      const { events } = await scene.run().fetchHistory();
      const data = events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads![0]!.data!;
      return JSON.parse(Buffer.from(data).toString()) as RecoverInput;
    },
  };
  return scene;
}

/** Not the poll of expect, which knows no tests at the same time. */
export async function until<T>(
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpMs = Date.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > giveUpMs) throw new Error(`it stays at ${JSON.stringify(seen, undefined, 2)}`);
    await sleep(POLL_MS);
  }
}

function inputOf(
  deployment: string,
  observers: readonly string[],
  { settings, shape, memory = { heals: [], starts: [] } }: SceneOptions,
): MonitorInput {
  return {
    settings: {
      ...{ deployment, observers, actor: 'tester', reason: 'a test', onFailure: 'notify' },
      sites: ['primary', 'dr'].map((site) => ({ site, workers: [site] })),
      rules: {
        ...{ quorum: 2, failAfterMs: FAIL_AFTER_MS, recoverAfterMs: 300 },
        flapping: { changes: 100, withinMs: 60_000 },
      },
      ...{ intervalMs: 250, budgetPerDay: 1, rpoMs: 300_000, priority: 1 },
      ...settings,
    },
    shape: { ...FULL_SHAPE, deployment, ...shape },
    memory,
  };
}

function lookers(
  { client }: TestWorkflowEnvironment,
  name: string,
  of: (deployment: string) => Scene,
): Record<string, (...args: never[]) => Promise<unknown>> {
  const see = async (deployment: string): Promise<View> => {
    const sight = of(deployment).sees.get(name) ?? 'silent';
    if (sight === 'silent') throw ApplicationFailure.nonRetryable('it is away', 'WORKER_STOPPED');
    const lock = await lockHolder(client, deployment, 2_000);
    return viewOf(name, lock === undefined ? sight : { ...sight, lock });
  };
  return {
    'observe-site': async ({ deployment, forMs, known, intervalMs }: ObserveInput): Promise<View> => {
      const context = Context.current();
      for (;;) {
        const view = await see(deployment);
        if (forMs === 0 || fingerprint(view) !== known) return view;
        context.heartbeat();
        await sleep(intervalMs, undefined, { signal: context.cancellationSignal });
      }
    },
    'look-at-live': async (deployment: string): Promise<LiveAnswer[]> => {
      const { live, fenced } = of(deployment);
      const isLive = live === name;
      const summary = isLive ? 'redis running' : 'redis stopped';
      return name === 'witness' ? [] : [{ site: name, live: isLive, fenced: fenced.has(name), summary }];
    },
    'answer-ping': async () => ({ worker: name, digest: 'c'.repeat(64), now: '' }),
    'digest-plan': async () => 'p'.repeat(64),
    'measure-host': async (deployment: string) => {
      const { live, exposureMs } = of(deployment);
      const at = new Date(Date.now() - (exposureMs ?? 0)).toISOString();
      return {
        ...{ site: name, worker: name, measuredAt: new Date().toISOString(), problems: [] },
        ...{ live: live === name && exposureMs !== undefined, serves: ['redis'], points: [] },
        sets: [{ set: 's', createdAt: at, verifiedAt: at, stores: { redis: { pointAt: at, bytes: 1 } } }],
      };
    },
    'route-notice': async () => ({ targets: [{ channel: 'chat' }], people: [] }),
    'tell-channel': async (notice: Notice) => {
      if (notice.event.startsWith('site-')) of(notice.deployment).told.push(notice);
    },
  };
}
