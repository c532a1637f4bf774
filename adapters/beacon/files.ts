import { join } from 'node:path';
import type { BackupConfig, BeaconConfig } from '../../domain/config.ts';

/** Where a journal's files lie, and what they are called. */

/** One folder of the journal for each place that the configuration names. */
export function journalFolders(
  { backup, beacon }: { backup: Pick<BackupConfig, 'repository'>; beacon?: BeaconConfig | undefined },
  deployment: string,
): string[] {
  const places = beacon?.journal ?? [backup.repository];
  return places.map((place) => join(place, deployment, 'beacon'));
}

const DAY_LOG = /^(\d{4}-\d{2}-\d{2})\.([a-z0-9-]+)\.([a-z0-9-]+)\.log$/;
const DAY_SUMMARY = /^(\d{4}-\d{2}-\d{2})\.summary\.json$/;

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
export const logName = (day: string, site: string, writer: string): string => `${day}.${site}.${writer}.log`;
export const summaryName = (day: string): string => `${day}.summary.json`;
/** What recoveries have measured: from there on the numbers of the site that they have brought up count. */
export const recoveriesFolder = (folder: string): string => join(folder, 'recoveries');
export const recoveryFile = (folder: string, run: string, worker: string): string =>
  join(recoveriesFolder(folder), `${run}.${worker}.json`);

export interface JournalFiles {
  /** By day: the raw files, each with its site. */
  readonly logs: ReadonlyMap<string, readonly { readonly name: string; readonly site: string }[]>;
  readonly summaries: readonly string[];
}

export function sortFiles(names: readonly string[]): JournalFiles {
  const logs = new Map<string, { name: string; site: string }[]>();
  const summaries: string[] = [];
  for (const name of names.toSorted()) {
    const [, day, site] = DAY_LOG.exec(name) ?? [];
    if (day !== undefined && site !== undefined) logs.set(day, [...(logs.get(day) ?? []), { name, site }]);
    const [, summarised] = DAY_SUMMARY.exec(name) ?? [];
    if (summarised !== undefined) summaries.push(summarised);
  }
  return { logs, summaries };
}
