import { access } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkerOptions } from '@temporalio/worker';
import { FAILURE_CONVERTER } from '../adapters/temporal/connection.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';

/** How a worker serves workflows: the same in the product and in its bench. */

/**
 * Memory is bounded whatever the number of runs, as the cache is counted in runs. A fleet has 32 at once by
 * default, each with its turn: one that falls out of the cache is told again from its beginning with every step that ends.
 */
const MAX_CACHED_WORKFLOWS = 100;

export async function workflowWorker(encrypted: boolean) {
  return {
    ...(await workflowCode(encrypted)),
    taskQueue: WORKFLOW_QUEUE,
    maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
    // A run whose worker has died moves to another one after this long.
    stickyQueueScheduleToStartTimeout: '2s',
  } satisfies Partial<WorkerOptions>;
}

/** The bundle that the build made; where there is none (running from source), one made now. */
async function workflowCode(encrypted: boolean): Promise<Pick<WorkerOptions, 'workflowBundle'>> {
  const file = `../workflow-bundle${encrypted ? '-encrypted' : ''}.cjs`;
  const codePath = fileURLToPath(new URL(file, import.meta.url));
  try {
    await access(codePath);
    return { workflowBundle: { codePath } };
  } catch {
    const entry = new URL(`../workflows/index${extname(import.meta.url)}`, import.meta.url);
    const failures = encrypted ? { failureConverterPath: FAILURE_CONVERTER } : {};
    return { workflowBundle: await bundleWorkflowCode({ workflowsPath: fileURLToPath(entry), ...failures }) };
  }
}
