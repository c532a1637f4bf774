import type { WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { DrError } from '../domain/errors.ts';
import type { RunRecord } from '../domain/run.ts';
import { inOrder, logLines, logOfRecord, type LogEntry } from '../report/log.ts';
import { nameArgument, runArgument } from './arguments.ts';
import { attemptsOf } from './attempts.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { keptRecord } from './kept-runs.ts';
import { currentRecord, soon } from './run-record.ts';

/** `tyk-dr logs`: what happened in a run, attempt by attempt, from Temporal's history and the run's own record. */

export function registerLogs(program: Command, config: () => string | undefined): void {
  program
    .command('logs')
    .description('What happened in a run: attempts, errors, decisions, alarms; of one step, or of all')
    .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .argument('[step]', 'only this step, as the runbook names it', nameArgument('STEP'))
    .option('--json', 'as JSON')
    .action(async (run: string, step: string | undefined, { json }: { json?: boolean }) => {
      const found = await entriesOf(config(), run);
      const entries = step === undefined ? found.entries : ofStep(found, step);
      for (const note of found.notes) process.stderr.write(`note: ${note}\n`);
      const text = entries.length > 0 ? logLines(entries).join('\n') : `nothing has happened in ${step} yet`;
      const body = { version: 1, run: found.run, source: found.source, entries };
      process.stdout.write(json ? `${JSON.stringify(body, undefined, 2)}\n` : `${text}\n`);
    });
}

interface Found {
  readonly run: string;
  /** `record`: Temporal has forgotten the run, or is away; attempts are not known. */
  readonly source: 'temporal' | 'record';
  readonly entries: readonly LogEntry[];
  readonly steps: readonly string[];
  readonly notes: readonly string[];
}

function ofStep({ entries, steps }: Found, step: string): LogEntry[] {
  if (steps.length > 0 && !steps.includes(step))
    throw new DrError('BAD_ARGUMENT', {
      argument: 'STEP',
      value: step,
      expected: `one of ${steps.join(', ')}`,
    });
  // A decision may be about several.
  return entries.filter((entry) => entry.step?.split(', ').includes(step));
}

async function entriesOf(configPath: string | undefined, run: string): Promise<Found> {
  try {
    return await withDoor(configPath, (door) => fromTemporal(door, run));
  } catch (error) {
    if (!(error instanceof DrError) || error.code !== 'TEMPORAL_UNREACHABLE') throw error;
    const record = await keptRecord(await loadConfig(configPath), run);
    if (!record) throw error;
    return fromRecord(record, error.message);
  }
}

async function fromTemporal(door: Door, run: string): Promise<Found> {
  let handle: WorkflowHandle;
  try {
    handle = await findRun(door, run);
  } catch (error) {
    const forgotten = error instanceof DrError && error.code === 'UNKNOWN_RUN';
    const record = forgotten ? await keptRecord(door.config, run, door) : undefined;
    if (!record) throw error;
    return fromRecord(record, 'Temporal does not know this run any more');
  }
  const [{ memo }, attempts, record] = await Promise.all([
    soon(door, () => handle.describe()),
    attemptsOf(door, handle),
    // Of a run that was cut off there is none, and it is then that its log is wanted.
    currentRecord(door, handle).catch((error: unknown) => {
      if (error instanceof DrError && error.code === 'RUN_CUT_OFF') return undefined;
      throw error;
    }),
  ]);
  const entries = [...attempts, ...(record ? logOfRecord(record, false) : [])];
  const id = String(memo?.['run'] ?? run);
  return {
    run: id,
    source: 'temporal',
    entries: inOrder(entries),
    steps: record
      ? record.steps.map((row) => row.id)
      : [...new Set(attempts.flatMap((each) => each.step ?? []))],
    notes: record ? [] : ['no worker answers, or the run was cut off: decisions and alarms are not shown'],
  };
}

function fromRecord(record: RunRecord, why: string): Found {
  return {
    run: record.run,
    source: 'record',
    entries: inOrder(logOfRecord(record, true)),
    steps: record.steps.map((row) => row.id),
    notes: [`${why}; this is from the kept record, without single attempts`],
  };
}
