import { randomBytes } from 'node:crypto';
import { repositoryIsHere } from '../adapters/backup/runs.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import { exportPack } from '../adapters/evidence/export.ts';
import { runHistory, type RunHistory } from '../adapters/temporal/history.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { KeptPack } from '../domain/evidence.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import { workersOfSites } from '../domain/site-workers.ts';
import { EVIDENCE_TEXTS } from '../report/evidence.ts';
import type { exportEvidence } from '../workflows/index.ts';
import { BRIEF_TASK_TIMEOUT_MS, deploymentOf, withDoor } from './client.ts';
import { toldByWorker } from './failures.ts';
import { recordOf } from './report.ts';
import { VERSION } from './version.ts';

/** Makes a pack here where repository and signing key are, else by a worker that has both. */

const DEADLINE_MS = 150_000;

export async function makeEvidence(configPath: string | undefined, run: string): Promise<KeptPack> {
  const { record, config } = await recordOf(configPath, run);
  if (record.outcome === undefined) throw new DrError('EVIDENCE_UNFINISHED', { run: record.run });
  const deployment = deploymentOf(config, record.deployment);
  if (!(await canSignHere(deployment))) return byWorker(configPath, deployment, record);
  return exportPack(deployment, record, await historyOf(configPath, record.run), {
    ...{ version: VERSION, render: EVIDENCE_TEXTS },
    secret: resolveSecret,
  });
}

async function canSignHere({ backup }: Deployment): Promise<boolean> {
  if (!(await repositoryIsHere(backup))) return false;
  return resolveSecret(backup.signingKey).then(
    () => true,
    () => false,
  );
}

async function historyOf(configPath: string | undefined, run: string): Promise<RunHistory> {
  try {
    return await withDoor(configPath, ({ client }) => runHistory(client, run));
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return { why: error.message };
  }
}

function byWorker(
  configPath: string | undefined,
  deployment: Deployment,
  { deployment: name, run }: RunRecord,
): Promise<KeptPack> {
  const workers = workersOfSites(deployment);
  return withDoor(configPath, ({ client }) =>
    client.workflow
      .execute<typeof exportEvidence>('exportEvidence', {
        workflowId: `export-evidence/${name}/${randomBytes(4).toString('hex')}`,
        taskQueue: WORKFLOW_QUEUE,
        args: [{ deployment: name, run, workers }],
        workflowExecutionTimeout: DEADLINE_MS,
        workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
        staticSummary: `Evidence of ${run}`,
      })
      .catch((error: unknown) => {
        throw toldByWorker(error) ?? error;
      }),
  );
}
