import { Client } from '@temporalio/client';
import {
  GracefulShutdownPeriodExpiredError,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Activities } from '../activities/index.ts';
import { buildText, type Build } from '../domain/build.ts';
import type { Config } from '../domain/config.ts';
import { workerQueue } from '../domain/messages.ts';
import { temporalSettings, unreachable, type TemporalSettings } from '../adapters/temporal/connection.ts';
import { faultPoints } from './fault-points.ts';
import { FORCE_MS, GRACE_MS, Leave } from './leave.ts';
import { serveMetrics } from './metrics.ts';
import { startBeacons } from './beacon.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { wire } from './wire.ts';
import { workflowWorker } from './workflow-worker.ts';

/**
 * Runs one worker until SIGTERM: its own activities, and workflow tasks together with every other worker, so that
 * a run goes on when the host on which it began is gone.
 *
 * @throws DrError TEMPORAL_UNREACHABLE
 */
export async function runWorker(config: Config, name: string, build: Build): Promise<void> {
  const say = (text: string): void => void process.stderr.write(`worker ${name} ${text}\n`);
  const settings = await temporalSettings(config);
  const watched = config.metrics?.[name];
  Runtime.install({
    // Ours to handle: see leave.ts.
    shutdownSignals: [],
    ...(watched?.temporal !== undefined && {
      telemetryOptions: { metrics: { prometheus: { bindAddress: watched.temporal } } },
    }),
  });
  const connection = await NativeConnection.connect(settings.options).catch(async (error: unknown) => {
    throw await unreachable(settings, error);
  });
  await registerSearchAttributes(connection, settings.namespace);
  const leave = new Leave(say);
  const { activities, deps } = wire(config, name, build.version, build, leave.hurry);
  const workers = await createWorkers(settings, connection, name, build, activities, leave);
  const metrics =
    watched && (await serveMetrics(config, deps, watched.listen, clientOf(settings, connection)));
  leave.onSignal(() => workers.forEach((worker) => worker.shutdown()));
  const how = settings.encrypted ? ', encrypting' : '';
  say(`serves ${workerQueue(name)} on ${settings.address}${how}, build ${buildText(build)}`);
  const beacons = startBeacons(config, name, build.version, say);
  try {
    await Promise.all(workers.map((worker) => worker.run()));
  } catch (error) {
    if (!(error instanceof GracefulShutdownPeriodExpiredError)) throw error;
    leave.end();
    process.exit(0);
  } finally {
    await beacons.stop();
  }
  leave.end();
  metrics?.close();
  await connection.close();
}

function clientOf({ namespace, dataConverter }: TemporalSettings, connection: NativeConnection): Client {
  return new Client({ connection, namespace, dataConverter });
}

function createWorkers(
  { namespace, dataConverter, encrypted }: TemporalSettings,
  connection: NativeConnection,
  name: string,
  build: Build,
  activities: Activities,
  leave: Leave,
): Promise<Worker[]> {
  const shared = {
    ...{ connection, namespace, dataConverter },
    identity: `${name}@${process.pid} tyk-dr ${buildText(build)}`,
    shutdownGraceTime: GRACE_MS,
    shutdownForceTime: FORCE_MS,
  } satisfies Partial<WorkerOptions>;
  const faults = faultPoints().interceptors?.activity ?? [];
  return Promise.all([
    Worker.create({
      ...shared,
      taskQueue: workerQueue(name),
      activities,
      // Temporal would send only every fourth beat or so; a worker that dies must be missed within seconds.
      maxHeartbeatThrottleInterval: '1s',
      interceptors: { activity: [leave.interceptor, ...faults] },
    }),
    workflowWorker(encrypted).then((own) => Worker.create({ ...shared, ...own })),
  ]);
}
