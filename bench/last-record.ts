import { loadConfig } from '../adapters/config/load.ts';
import { newestRun } from '../adapters/backup/runs.ts';
import type { Runbook } from '../domain/failover.ts';
import { DrError } from '../domain/errors.ts';
import type { RunRecord } from '../domain/run.ts';
import { configFile, type Lab } from '../lab/layout.ts';

/** The newest run of a runbook, as it lies in the repository: one may have gone on from it since. */
export async function recordOfRun(lab: Lab, runbook: Runbook): Promise<RunRecord> {
  const { backup } = (await loadConfig(configFile(lab))).deployments[lab.deployment]!;
  const record = await newestRun(backup, lab.deployment, (each) => each.runbook === runbook);
  if (record) return record;
  throw new DrError('UNKNOWN_RUN', { run: `the newest ${runbook} of ${lab.deployment}` });
}
