import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { jsonOf } from '../../domain/json.ts';
import { isRunId, momentOfRun } from '../../domain/run-id.ts';
import { summaryOf, type RunSummary } from '../../domain/run-summary.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { mapParallel } from '../files/map-parallel.ts';

/**
 * Records of runs, kept beside the backup sets: they outlive Temporal's retention and the loss of a site. An index
 * holds a line for each, so that a thousand of them list quickly; the records are the truth, and what the index
 * lacks or cannot be read of it is read from them.
 */

type Repository = Pick<BackupConfig, 'repository'>;

const INDEX = 'index.jsonl';
/** A line of another form is no line. */
const INDEX_VERSION = 1;
/** Also what keeps a name from leading elsewhere. */
const RUN_ID = /^[a-z0-9][a-z0-9-]{0,79}$/;

/** @returns the file. */
export async function keepRun(config: Repository, record: RunRecord): Promise<string> {
  const file = recordFile(config, record.deployment, record.run);
  await replaceJson(file, record);
  // Without its line the record is still found, only more slowly: that must not fail a run.
  await appendFile(join(runsFolder(config, record.deployment), INDEX), indexLine(summaryOf(record))).catch(
    () => undefined,
  );
  return file;
}

/** Beside its record: Temporal forgets it, and evidence must not. */
export async function keepPlan(config: Repository, run: string, plan: RecoverPlan): Promise<void> {
  await replaceJson(planFile(config, plan.deployment, run), plan);
}

async function replaceJson(file: string, value: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** Undefined where none was kept: runs of earlier versions have none. */
export async function readPlan(
  config: Repository,
  deployment: string,
  run: string,
): Promise<RecoverPlan | undefined> {
  if (!RUN_ID.test(run)) return undefined;
  const text = await readFile(planFile(config, deployment, run), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (jsonOf(text) as RecoverPlan | undefined);
}

/** Of a run that has ended. */
export const recordFile = (config: Repository, deployment: string, run: string): string =>
  join(runsFolder(config, deployment), `${run}.json`);

/** What an exported script says of its run while it works, and at its end. */
export const scriptLogFile = (config: Repository, deployment: string, run: string): string =>
  join(runsFolder(config, deployment), `${run}.jsonl`);

/** No id of a run has a dot in it: a plan is never taken for a record. */
const planFile = (config: Repository, deployment: string, run: string): string =>
  join(runsFolder(config, deployment), `${run}.plan.json`);

/** Undefined where no such run was kept. */
export async function readRun(
  config: Repository,
  deployment: string,
  run: string,
): Promise<RunRecord | undefined> {
  if (!RUN_ID.test(run)) return undefined;
  const file = recordFile(config, deployment, run);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const record = text === undefined ? undefined : jsonOf(text);
  return isRecord(record) ? record : undefined;
}

/** Whether the repository can be read from here at all, as opposed to: holds no run. */
export async function repositoryIsHere({ repository }: Repository): Promise<boolean> {
  return readdir(repository).then(
    () => true,
    () => false,
  );
}

/** Ids of the runs that were kept, newest first. */
export async function keptRuns(config: Repository, deployment: string): Promise<string[]> {
  const names = await readdir(runsFolder(config, deployment)).catch(() => []);
  const runs = names.flatMap((name) => (name.endsWith('.json') ? name.slice(0, -'.json'.length) : []));
  return runs.filter((run) => RUN_ID.test(run)).sort((one, other) => (timeOf(one) < timeOf(other) ? 1 : -1));
}

/** Recoveries and drills have different beginnings, and the time behind it. */
function timeOf(run: string): string {
  return momentOfRun(run);
}

/** Every run that was kept, in short, newest first. Records that cannot be read are left out. */
export async function listRuns(config: Repository, deployment: string): Promise<RunSummary[]> {
  const [runs, index] = await Promise.all([keptRuns(config, deployment), readIndex(config, deployment)]);
  const unlisted = runs.filter((run) => !index.has(run));
  const read = await mapParallel(unlisted, (run) => readRun(config, deployment, run));
  for (const record of read) if (record) index.set(record.run, summaryOf(record));
  return runs.flatMap((run) => index.get(run) ?? []);
}

/** Every record in full, oldest first; those that cannot be read are left out. */
export async function listRecords(config: Repository, deployment: string): Promise<RunRecord[]> {
  const runs = (await keptRuns(config, deployment)).reverse();
  const read = await mapParallel(runs, (run) => readRun(config, deployment, run));
  return read.filter((record) => record !== undefined);
}

/** How many runs are read in search of one that fits. */
const MOST_READ = 20;

/** The newest run that fits; run ids sort by time. */
export async function newestRun(
  config: Repository,
  deployment: string,
  fits: (record: RunRecord) => boolean,
): Promise<RunRecord | undefined> {
  const runs = (await keptRuns(config, deployment)).filter(isRunId);
  for (const run of runs.slice(0, MOST_READ)) {
    const record = await readRun(config, deployment, run);
    if (record && fits(record)) return record;
  }
  return undefined;
}

function indexLine(summary: RunSummary): string {
  return `${JSON.stringify({ version: INDEX_VERSION, ...summary })}\n`;
}

/** The last line of a run counts: it may have been written again. */
async function readIndex(config: Repository, deployment: string): Promise<Map<string, RunSummary>> {
  const text = await readFile(join(runsFolder(config, deployment), INDEX), 'utf8').catch(() => '');
  const lines = text.split('\n').map(jsonOf) as (Partial<RunSummary & { version: number }> | undefined)[];
  return new Map(
    lines.flatMap((line): [string, RunSummary][] =>
      line?.version === INDEX_VERSION && typeof line.run === 'string' && Array.isArray(line.clock)
        ? [[line.run, line as RunSummary]]
        : [],
    ),
  );
}

function isRecord(value: unknown): value is RunRecord {
  return (value as Partial<RunRecord> | undefined)?.format === 'tyk-dr/run/v1';
}

function runsFolder({ repository }: Repository, deployment: string): string {
  return join(repository, deployment, 'runs');
}
