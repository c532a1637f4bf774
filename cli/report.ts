import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printPdf } from '../adapters/chromium/print.ts';
import type { RunRecord } from '../domain/run.ts';
import { htmlReport } from '../report/html.ts';
import { jsonReport } from '../report/json.ts';
import { postIncident } from '../report/post-incident.ts';
import { textReport } from '../report/text.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { choice, fileArgument, runArgument } from './arguments.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { keptRecord } from './kept-runs.ts';
import { currentRecord } from './run-record.ts';

/** `tyk-dr report`: what a run did and proved. From Temporal, or from the repository when Temporal has forgotten. */

const FORMATS = ['text', 'json', 'html'] as const;

export function registerReport(program: Command, config: () => string | undefined): void {
  program
    .command('report')
    .description('The report of a run')
    .argument('[run]', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .option('--format <format>', FORMATS.join(', '), choice('--format', FORMATS), 'text')
    .option('--pdf <file>', 'the page as PDF instead, through Chromium', fileArgument('--pdf'))
    .option(
      '--post-incident <file>',
      'a post-incident report in Markdown instead, filled in from the record',
      fileArgument('--post-incident'),
    )
    .action(async (run: string | undefined, { format, pdf, postIncident: after }: ReportOptions) => {
      const { record, config: declared } = await recordOf(config(), run);
      if (pdf !== undefined || after !== undefined)
        return writeFiles(record, declared.deployments[record.deployment], pdf, after);
      const render = { text: textReport, json: jsonReport, html: htmlReport }[format];
      process.stdout.write(`${render(record, declared.deployments[record.deployment])}\n`);
    });
}

interface ReportOptions {
  readonly format: (typeof FORMATS)[number];
  readonly pdf?: string;
  readonly postIncident?: string;
}

async function writeFiles(
  record: RunRecord,
  people: Parameters<typeof htmlReport>[1],
  pdf: string | undefined,
  after: string | undefined,
): Promise<void> {
  if (after !== undefined) {
    const file = resolve(after);
    // People write into it: what they wrote is not lost to a second call.
    await writeFile(file, postIncident(record), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      throw new DrError('BAD_ARGUMENT', {
        ...{ argument: '--post-incident', value: after },
        expected:
          error.code === 'EEXIST'
            ? 'a file that is not there yet'
            : `a file that can be written (${error.code})`,
      });
    });
    process.stdout.write(`${file}\n`);
  }
  if (pdf !== undefined) {
    await printPdf(htmlReport(record, people), resolve(pdf));
    process.stdout.write(`${resolve(pdf)}\n`);
  }
}

interface Found {
  readonly record: RunRecord;
  readonly config: Config;
}

/** A run's own record where it can be read from here; else Temporal's, else that which a worker can read. */
export async function recordOf(configPath: string | undefined, run: string | undefined): Promise<Found> {
  const config = await loadConfig(configPath);
  const isDeployment = run === undefined || run in config.deployments;
  const kept = isDeployment ? undefined : await keptRecord(config, run);
  if (kept) return { record: kept, config };
  const name = run ?? onlyOne(config);
  try {
    return await withDoor(configPath, async (door) => ({ record: await fromTemporal(door, name), config }));
  } catch (error) {
    // Temporal is away: what was kept is better than nothing, and says of which run it is.
    const away = error instanceof DrError && error.code === 'TEMPORAL_UNREACHABLE';
    const record = away && name !== undefined ? await keptRecord(config, name) : undefined;
    if (!record || !(error instanceof DrError)) throw error;
    process.stderr.write(`note: ${error.message}; the newest kept record is shown\n`);
    return { record, config };
  }
}

function onlyOne({ deployments }: Config): string | undefined {
  const names = Object.keys(deployments);
  return names.length === 1 ? names[0] : undefined;
}

async function fromTemporal(door: Door, run: string | undefined): Promise<RunRecord> {
  try {
    const record = await currentRecord(door, await findRun(door, run));
    if (!record) throw new DrError('WORKER_MISSING', { queue: WORKFLOW_QUEUE });
    return record;
  } catch (error) {
    // Temporal keeps runs for days, the repository for good.
    const forgotten = error instanceof DrError && error.code === 'UNKNOWN_RUN' && run !== undefined;
    const record = forgotten ? await keptRecord(door.config, run, door) : undefined;
    if (record) return record;
    throw error;
  }
}
