import { access } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { WORKFLOW_QUEUE, workerQueue } from '../domain/messages.ts';
import { temporalConnection } from '../adapters/temporal/connection.ts';
import { faultPoints } from './fault-points.ts';
import { serveMetrics } from './metrics.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { wire } from './wire.ts';

/** Running activities get this long to end by themselves after SIGTERM; then they are cancelled. */
const SHUTDOWN_GRACE = '10s';
const SHUTDOWN_FORCE = '30s';

/** Memory is bounded whatever the number of runs: the cache is counted in runs, and one is live at a time. */
const MAX_CACHED_WORKFLOWS = 20;

/**
 * Runs one worker until SIGTERM: its own activities, and workflow tasks together with every other worker, so that
 * a run goes on when the host on which it began is gone.
 *
 * @throws DrError TEMPORAL_UNREACHABLE
 */
export async function runWorker(config: Config, name: string, version: string): Promise<void> {
  const settings = temporalConnection(config);
  const watched = config.metrics?.[name];
  if (watched?.temporal !== undefined)
    Runtime.install({ telemetryOptions: { metrics: { prometheus: { bindAddress: watched.temporal } } } });
  const connection = await NativeConnection.connect(settings.options).catch((error: unknown) => {
    throw new DrError('TEMPORAL_UNREACHABLE', { address: settings.address }, { cause: error });
  });
  await registerSearchAttributes(connection, settings.namespace);
  const { activities, deps } = wire(config, name, version);
  const shared: Pick<
    WorkerOptions,
    'connection' | 'namespace' | 'shutdownGraceTime' | 'shutdownForceTime' | 'identity'
  > = {
    connection,
    namespace: settings.namespace,
    identity: `${name}@${process.pid} tyk-dr ${version}`,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
  };
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue: workerQueue(name),
      activities,
      // Temporal would send only every fourth beat or so; a worker that dies must be missed within seconds.
      maxHeartbeatThrottleInterval: '1s',
      ...faultPoints(),
    }),
    Worker.create({
      ...shared,
      taskQueue: WORKFLOW_QUEUE,
      ...(await workflowCode()),
      maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
      // A run whose worker has died moves to another one after this long.
      stickyQueueScheduleToStartTimeout: '2s',
    }),
  ]);
  const metrics = watched && (await serveMetrics(config, deps, watched.listen));
  process.stderr.write(`worker ${name} serves ${workerQueue(name)} on ${settings.address}\n`);
  await Promise.all(workers.map((worker) => worker.run()));
  metrics?.close();
  await connection.close();
}

/** The bundle that the build made; where there is none (running from source), one made now. */
async function workflowCode(): Promise<Pick<WorkerOptions, 'workflowBundle'>> {
  const codePath = fileURLToPath(new URL('../workflow-bundle.cjs', import.meta.url));
  try {
    await access(codePath);
    return { workflowBundle: { codePath } };
  } catch {
    const workflowsPath = fileURLToPath(
      new URL(`../workflows/index${extname(import.meta.url)}`, import.meta.url),
    );
    return { workflowBundle: await bundleWorkflowCode({ workflowsPath }) };
  }
}
