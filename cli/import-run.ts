import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { keepRun, readRun } from '../adapters/backup/runs.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { readScriptLog } from '../adapters/runbook/read-log.ts';
import { DrError } from '../domain/errors.ts';
import { fileArgument } from './arguments.ts';
import { recordOfScript } from '../runbooks/record-of-script.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** `tyk-dr import-run`: takes the log of an exported script back into the history. */

export function registerImportRun(program: Command, config: () => string | undefined): void {
  program
    .command('import-run')
    .description('Take the log of a recovery by the exported script into the history')
    .argument('<file>', 'the log: REPOSITORY/DEPLOYMENT/runs/RUN.jsonl', fileArgument('FILE'))
    .option('--json', 'the record as JSON')
    .action(async (file: string, { json }: { json?: boolean }) => importRun(config(), file, json ?? false));
}

async function importRun(configPath: string | undefined, file: string, json: boolean): Promise<void> {
  const config = await loadConfig(configPath);
  const { begin, events } = await readScriptLog(file);
  const deployment = Object.hasOwn(config.deployments, begin.deployment)
    ? config.deployments[begin.deployment]
    : undefined;
  const refuse = (reason: string): never => {
    throw new DrError('LOG_REFUSED', { file, reason });
  };
  if (!deployment)
    return refuse(
      `it is of the deployment '${begin.deployment}'; the configuration declares ${Object.keys(config.deployments).join(', ')}`,
    );
  for (const site of [begin.from, begin.to])
    if (!Object.hasOwn(deployment.sites, site))
      refuse(`it is of the site '${site}', which ${begin.deployment} does not have`);
  const record = recordOfScript(begin, events, shapeOf(begin.deployment, deployment).objectives);
  const kept = await readRun(deployment.backup, begin.deployment, begin.run);
  if (kept && !isDeepStrictEqual(kept, JSON.parse(JSON.stringify(record))))
    refuse(`the history has another record of ${begin.run}`);
  if (!kept) await keepRun(deployment.backup, record);
  process.stdout.write(
    json
      ? `${JSON.stringify({ version: 1, ...record })}\n`
      : `${record.run}: ${record.outcome}, ${kept ? 'was in the history already' : 'is in the history now'}\n`,
  );
  if (!json) process.stderr.write(`see it with: tyk-dr report ${record.run}\n`);
}
