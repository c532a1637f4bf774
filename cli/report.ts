import type { Command } from 'commander';
import type { RunRecord } from '../domain/run.ts';
import { htmlReport } from '../report/html.ts';
import { jsonReport } from '../report/json.ts';
import { textReport } from '../report/text.ts';
import { readRun } from '../adapters/backup/runs.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { DrError } from '../domain/errors.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { choice, runArgument } from './arguments.ts';
import { findRun, withDoor } from './client.ts';
import { currentRecord } from './run-record.ts';

/** `tyk-dr report`: what a run did and proved. From Temporal, or from the repository when Temporal has forgotten. */

const FORMATS = ['text', 'json', 'html'] as const;

export function registerReport(program: Command, config: () => string | undefined): void {
  program
    .command('report')
    .description('The report of a run')
    .argument('[run]', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .option('--format <format>', FORMATS.join(', '), choice('--format', FORMATS), 'text')
    .action(async (run: string | undefined, { format }: { format: (typeof FORMATS)[number] }) => {
      const record =
        (run === undefined ? undefined : await fromRepository(config(), run)) ??
        (await fromTemporal(config(), run));
      const render = { text: textReport, json: jsonReport, html: htmlReport }[format];
      process.stdout.write(`${render(record)}\n`);
    });
}

async function fromTemporal(config: string | undefined, run: string | undefined): Promise<RunRecord> {
  return withDoor(config, async (door) => {
    const record = await currentRecord(door, await findRun(door, run));
    if (!record) throw new DrError('WORKER_MISSING', { queue: WORKFLOW_QUEUE });
    return record;
  });
}

async function fromRepository(configPath: string | undefined, run: string): Promise<RunRecord | undefined> {
  const config = await loadConfig(configPath);
  for (const [name, deployment] of Object.entries(config.deployments)) {
    const record = await readRun(deployment.backup, name, run);
    if (record) return record;
  }
  return undefined;
}
