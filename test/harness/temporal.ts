import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { SEARCH_ATTRIBUTES, WORKFLOW_QUEUE, workerQueue } from '../../domain/messages.ts';
import { defineSearchAttributeKey } from '@temporalio/common';

/** A real Temporal development server for a test file, with our search attributes and our workflows. */

/** @param extraArgs of `temporal server start-dev` */
export async function startTemporal(extraArgs: string[] = []): Promise<TestWorkflowEnvironment> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: await temporalBinary() },
      extraArgs,
      searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) =>
        defineSearchAttributeKey(name, 'KEYWORD'),
      ),
      log: { format: 'json', level: 'error' },
    },
  });
}

export async function temporalBinary(): Promise<string> {
  const cache = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'tyk-dr',
    'bin',
    'temporal-1.5.1',
  );
  const places = [
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'temporal')),
    cache,
  ];
  for (const place of places) {
    const found = await access(place).then(
      () => true,
      () => false,
    );
    if (found) return place;
  }
  throw new Error('run npm run setup: the Temporal CLI is missing');
}

let bundle: Promise<{ code: string }> | undefined;

/** Our workflow code, bundled once for a test file. */
export function workflowBundle(): Promise<{ code: string }> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: quiet,
  });
  return bundle;
}

/** Runs the work while workers serve the workflow queue and one activity queue each. */
export async function withWorkers<T>(
  environment: TestWorkflowEnvironment,
  activities: Readonly<Record<string, Record<string, (...args: never[]) => Promise<unknown>>>>,
  work: () => Promise<T>,
): Promise<T> {
  const connection = environment.nativeConnection;
  const shared: Partial<WorkerOptions> = { maxHeartbeatThrottleInterval: '200ms' };
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: WORKFLOW_QUEUE, workflowBundle: await workflowBundle() }),
    ...Object.entries(activities).map(([name, own]) =>
      Worker.create({ ...shared, connection, taskQueue: workerQueue(name), activities: own }),
    ),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    return await work();
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
  }
}

const nothing = (): void => undefined;
const quiet = {
  log: nothing,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: console.warn,
  error: console.error,
};
