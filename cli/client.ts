import { Client, Connection, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { loadConfig } from '../adapters/config/load.ts';
import { temporalSettings, unreachable } from '../adapters/temporal/connection.ts';
import type { Config, Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { isRunbook, RUNBOOKS } from '../domain/failover.ts';
import { lockId, SEARCH_ATTRIBUTES, WORKFLOW_QUEUE, workerQueue } from '../domain/messages.ts';
import type { ping } from '../workflows/index.ts';

import { isTemporalLost, toldByWorker } from './failures.ts';

/** The CLI's door to Temporal. */

/** A commander must not wait longer than this to learn that nobody is there. */
const CONNECT_TIMEOUT_MS = 4_000;
/** More than the ping itself waits for its activity: a queue without any worker ends here. */
const PING_DEADLINE_MS = 5_000;
/** A server that was away is tried again this often, rather than with ever longer pauses. */
const RECONNECT_EVERY_MS = 2_000;
/** A worker behind a cut cable takes a workflow task and never answers it: another one must get its turn. */
export const BRIEF_TASK_TIMEOUT_MS = 1_500;
export const TASK_TIMEOUT_MS = 5_000;

type PingResult = Awaited<ReturnType<typeof ping>>;

export interface Door {
  readonly config: Config;
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  close(): Promise<void>;
}

/** Opens the door, works, and closes it. @throws DrError CONFIG_NOT_FOUND, CONFIG_INVALID, TEMPORAL_UNREACHABLE */
export async function withDoor<T>(
  configPath: string | undefined,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  const door = await openDoor(configPath);
  try {
    return await work(door);
  } catch (error) {
    // It answered when the door was opened, and is away now.
    if (isTemporalLost(error))
      throw new DrError('TEMPORAL_UNREACHABLE', { address: door.address }, { cause: error });
    throw error;
  } finally {
    await door.close();
  }
}

async function openDoor(configPath: string | undefined): Promise<Door> {
  const config = await loadConfig(configPath);
  const settings = await temporalSettings(config);
  const { options, address, namespace, dataConverter } = settings;
  const connection = await Connection.connect({
    ...options,
    connectTimeout: CONNECT_TIMEOUT_MS,
    channelArgs: { 'grpc.max_reconnect_backoff_ms': RECONNECT_EVERY_MS },
  }).catch(async (error: unknown) => {
    throw await unreachable(settings, error);
  });
  return {
    config,
    client: new Client({ connection, namespace, dataConverter }),
    address,
    namespace,
    close: () => connection.close(),
  };
}

export function deploymentOf(config: Pick<Config, 'deployments'>, name: string): Deployment {
  const found = config.deployments[name];
  if (!found)
    throw new DrError('UNKNOWN_DEPLOYMENT', {
      deployment: name,
      known: Object.keys(config.deployments).join(', '),
    });
  return found;
}

/**
 * Asks each worker, at the same time, whether it lives and has our configuration.
 *
 * @returns what each of them says of itself
 * @throws DrError WORKER_MISSING, CONFIG_DRIFT, CLOCK_SKEW
 */
export async function requireWorkers(
  door: Door,
  deployment: string,
  digest: string,
  workers: readonly string[],
): Promise<PingResult[]> {
  return Promise.all([...new Set(workers)].map((worker) => requireWorker(door, deployment, digest, worker)));
}

/** Certificates, expiries and the RTO clock itself are wrong where clocks differ by more. */
const CLOCK_LIMIT_MS = 5_000;

async function requireWorker(
  door: Door,
  deployment: string,
  digest: string,
  worker: string,
): Promise<PingResult> {
  const nonce = Math.random().toString(36).slice(2, 10);
  const answer = await door.client.workflow
    .execute<typeof ping>('ping', {
      workflowId: `ping/${worker}/${nonce}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [worker, deployment],
      workflowExecutionTimeout: PING_DEADLINE_MS,
      workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
      staticSummary: `Does the worker ${worker} answer?`,
    })
    .catch((error: unknown) => {
      throw pingFailure(error, worker);
    });
  if (answer.digest !== digest) {
    throw new DrError('CONFIG_DRIFT', {
      worker,
      actual: answer.digest.slice(0, 12),
      expected: digest.slice(0, 12),
    });
  }
  const skewMs = Math.abs(Date.now() - Date.parse(answer.now));
  if (skewMs > CLOCK_LIMIT_MS)
    throw new DrError('CLOCK_SKEW', { host: `worker ${worker}`, skewMs, limitMs: CLOCK_LIMIT_MS });
  return answer;
}

function pingFailure(error: unknown, worker: string): unknown {
  if (isTemporalLost(error)) return error;
  const told = toldByWorker(error);
  // To the worker it is an unknown name; to us, that the two have different files.
  if (told?.code === 'UNKNOWN_DEPLOYMENT')
    return DrError.told('CONFIG_DRIFT', `the worker ${worker} says: ${told.message}`);
  return told ?? new DrError('WORKER_MISSING', { queue: workerQueue(worker), worker }, { cause: error });
}

/** The run that a person means: by its id wherever it was printed, or by deployment, its newest. */
export async function findRun(door: Door, run: string | undefined): Promise<WorkflowHandle> {
  const { client, config } = door;
  const deployments = Object.keys(config.deployments);
  const name = run ?? (deployments.length === 1 ? deployments[0]! : undefined);
  if (name === undefined)
    throw new DrError('BAD_ARGUMENT', {
      argument: 'RUN',
      value: 'missing',
      expected: `a run id or one of ${deployments.join(', ')}`,
    });
  if (deployments.includes(name)) return newestOf(door, name);
  const id = name.replaceAll(/[^A-Za-z0-9/-]/g, '');
  if (id.startsWith('run/')) return newestOf(door, id.slice('run/'.length));
  for await (const found of client.workflow.list({ query: `${SEARCH_ATTRIBUTES.run} = "${id}"` })) {
    return client.workflow.getHandle(found.workflowId, found.runId);
  }
  throw new DrError('UNKNOWN_RUN', { run: name });
}

/** Of workflows, those that keep the record of a run. */
export const A_RUN = `WorkflowType IN (${RUNBOOKS.map((type) => `"${type}"`).join(', ')})`;

/** The newest run that keeps a record. The lock is shared with what else changes a deployment, so the newest holder may be another. */
async function newestOf({ client }: Door, deployment: string): Promise<WorkflowHandle> {
  const workflowId = lockId(deployment);
  try {
    const { runId, type } = await client.workflow.getHandle(workflowId).describe();
    if (isRunbook(type)) return client.workflow.getHandle(workflowId, runId);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const query = `WorkflowId = "${workflowId}" AND ${A_RUN}`;
  for await (const found of client.workflow.list({ query, pageSize: 1 }))
    return client.workflow.getHandle(workflowId, found.runId);
  throw new DrError('UNKNOWN_RUN', { run: deployment });
}

/** The error that names what holds the lock of a deployment. */
export async function alreadyRunning({ client }: Door, deployment: string): Promise<DrError> {
  const workflowId = lockId(deployment);
  const { type, memo } = await client.workflow.getHandle(workflowId).describe();
  const run = memo?.['run'];
  return new DrError('ALREADY_RUNNING', {
    workflowId,
    what: String(run ?? type),
    run: run === undefined ? undefined : String(run),
  });
}
