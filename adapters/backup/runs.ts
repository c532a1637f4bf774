import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import type { RunRecord } from '../../domain/run.ts';

/** Records of runs, kept beside the backup sets: they outlive Temporal's retention and the loss of a site. */

type Repository = Pick<BackupConfig, 'repository'>;

/** @returns the file. */
export async function keepRun(config: Repository, record: RunRecord): Promise<string> {
  const folder = runsFolder(config, record.deployment);
  const file = join(folder, `${record.run}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
  return file;
}

/** Undefined where no such run was kept. */
export async function readRun(
  config: Repository,
  deployment: string,
  run: string,
): Promise<RunRecord | undefined> {
  if (!/^[a-z0-9-]+$/.test(run)) return undefined;
  const text = await readFile(join(runsFolder(config, deployment), `${run}.json`), 'utf8').catch(
    () => undefined,
  );
  return text === undefined ? undefined : (JSON.parse(text) as RunRecord);
}

/** How many runs are read in search of one that fits. */
const MOST_READ = 20;

/** The newest run that fits; run ids sort by time. */
export async function newestRun(
  config: Repository,
  deployment: string,
  fits: (record: RunRecord) => boolean,
): Promise<RunRecord | undefined> {
  const names = await readdir(runsFolder(config, deployment)).catch(() => []);
  const runs = names.flatMap((name) => /^(rec-.*)\.json$/.exec(name)?.[1] ?? []);
  for (const run of runs.sort().reverse().slice(0, MOST_READ)) {
    const record = await readRun(config, deployment, run);
    if (record && fits(record)) return record;
  }
  return undefined;
}

function runsFolder({ repository }: Repository, deployment: string): string {
  return join(repository, deployment, 'runs');
}
