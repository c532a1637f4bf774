import { randomBytes } from 'node:crypto';
import { keptRuns, listRuns, readRun, repositoryIsHere } from '../adapters/backup/runs.ts';
import type { Config } from '../domain/config.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RunSummary } from '../domain/run-summary.ts';
import type { RunRecord } from '../domain/run.ts';
import { workersOfSites } from '../domain/site-workers.ts';
import type { readRuns } from '../workflows/index.ts';
import { BRIEF_TASK_TIMEOUT_MS, deploymentOf, type Door } from './client.ts';

/**
 * Records that runs have left beside the backup sets: read directly where the repository can be reached from here,
 * else by a worker that has it.
 */

const ASK_DEADLINE_MS = 20_000;

/** Every kept run of a deployment, in short. @throws DrError UNKNOWN_DEPLOYMENT */
export async function keptSummaries(
  config: Config,
  name: string,
  door: Door | undefined,
): Promise<readonly RunSummary[]> {
  const { backup } = deploymentOf(config, name);
  if (door && !(await repositoryIsHere(backup))) return (await ask(door, name)).runs ?? [];
  return listRuns(backup, name);
}

/** The record of a run by its id, or of the newest of a deployment. Undefined where none was kept. */
export async function keptRecord(config: Config, run: string, door?: Door): Promise<RunRecord | undefined> {
  for (const [name, { backup }] of Object.entries(config.deployments)) {
    const ofDeployment = run === name;
    if (door && !(await repositoryIsHere(backup))) {
      const id = ofDeployment ? (await ask(door, name)).runs?.[0]?.run : run;
      const record = id === undefined ? undefined : (await ask(door, name, id)).record;
      if (record) return record;
      continue;
    }
    const id = ofDeployment ? (await keptRuns(backup, name))[0] : run;
    const record = id === undefined ? undefined : await readRun(backup, name, id);
    if (record) return record;
  }
  return undefined;
}

function ask({ client, config }: Door, name: string, run?: string) {
  const workers = workersOfSites(config.deployments[name]!);
  return client.workflow.execute<typeof readRuns>('readRuns', {
    workflowId: `read-runs/${name}/${randomBytes(4).toString('hex')}`,
    taskQueue: WORKFLOW_QUEUE,
    args: [{ deployment: name, workers, ...(run === undefined ? {} : { run }) }],
    workflowExecutionTimeout: ASK_DEADLINE_MS,
    workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
    staticSummary: `Read the kept runs of ${name}`,
  });
}
