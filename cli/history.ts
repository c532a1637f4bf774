import { defineSearchAttributeKey } from '@temporalio/common';
import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { knownSite } from '../domain/known-site.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { SEARCH_ATTRIBUTES } from '../domain/messages.ts';
import { OUTCOME_CLASS, type Outcome } from '../domain/run.ts';
import { historyEntry, historyLines, type HistoryEntry } from '../report/history.ts';
import { choice, momentArgument, nameArgument, numberArgument } from './arguments.ts';
import { A_RUN, deploymentOf, withDoor, type Door } from './client.ts';
import { keptSummaries } from './kept-runs.ts';
import { memoSummary } from './memo-summary.ts';

/** `tyk-dr history`: the runs that have been, from the backup repository and, while it keeps them, from Temporal. */

export interface HistoryFilter {
  /** One that the run gave up, or recovered on. */
  readonly site?: string;
  readonly outcome?: Outcome;
  /** UTC ISO; of the declaration. */
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

const DEFAULT_LIMIT = '20';
const OUTCOMES = Object.keys(OUTCOME_CLASS) as Outcome[];

interface HistoryOptions extends Omit<HistoryFilter, 'limit'> {
  readonly limit: number;
  readonly json?: boolean;
}

export function registerHistory(program: Command, config: () => string | undefined): void {
  program
    .command('history')
    .description('The runs that have been, with their achieved times; also those that Temporal has forgotten')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--site <site>', 'only runs from or to this site', nameArgument('--site'))
    .option('--outcome <outcome>', 'only runs that ended so', choice('--outcome', OUTCOMES))
    .option('--since <time>', 'declared at or after this time or day', momentArgument('--since'))
    .option('--until <time>', 'declared before this time or day', momentArgument('--until'))
    .option(
      '--limit <count>',
      'at most so many, the newest',
      numberArgument('--limit', 1, 10_000),
      Number(DEFAULT_LIMIT),
    )
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json, ...filter }: HistoryOptions) => {
      const loaded = await loadConfig(config());
      const names = name === undefined ? Object.keys(loaded.deployments) : [name];
      for (const each of names) requireSite(loaded, each, name === undefined ? undefined : filter.site);
      const runs = await withOrWithoutTemporal(config(), loaded, names, filter);
      const text = runs.length > 0 ? historyLines(runs).join('\n') : 'no such run';
      process.stdout.write(json ? `${JSON.stringify({ version: 1, runs }, undefined, 2)}\n` : `${text}\n`);
    });
}

/** A typing error must not look like a quiet year. */
function requireSite(config: Config, name: string, site: string | undefined): void {
  const { sites } = deploymentOf(config, name);
  if (site !== undefined) knownSite(name, sites, site);
}

async function withOrWithoutTemporal(
  configPath: string | undefined,
  config: Config,
  names: readonly string[],
  filter: HistoryFilter,
): Promise<HistoryEntry[]> {
  try {
    return await withDoor(configPath, (door) => historyOf(door, names, filter, 'ask workers'));
  } catch (error) {
    if (!(error instanceof DrError) || error.code !== 'TEMPORAL_UNREACHABLE') throw error;
    process.stderr.write(`note: ${error.message}; only runs that the repository keeps are listed\n`);
    const kept = await Promise.all(names.map((name) => keptSummaries(config, name, undefined)));
    return chosen(
      kept.flat().map((summary) => historyEntry(summary, 'repository')),
      filter,
    );
  }
}

/** Newest first. A run that is in both places is told by the repository: that is its last word. */
export async function historyOf(
  door: Door,
  names: readonly string[],
  filter: HistoryFilter,
  where: 'ask workers' | 'only here',
): Promise<HistoryEntry[]> {
  const [kept, retained] = await Promise.all([
    Promise.all(
      names.map((name) => keptSummaries(door.config, name, where === 'ask workers' ? door : undefined)),
    ),
    retainedRuns(door, names),
  ]);
  const entries = kept.flat().map((summary) => historyEntry(summary, 'repository'));
  const known = new Set(entries.map(({ run }) => run));
  return chosen([...entries, ...retained.filter(({ run }) => !known.has(run))], filter);
}

/** More are not asked for: Temporal's own retention, and the repository, bound what there is. */
const MOST_RETAINED = 1_000;

async function retainedRuns({ client }: Door, names: readonly string[]): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  let seen = 0;
  const key = defineSearchAttributeKey(SEARCH_ATTRIBUTES.deployment, 'KEYWORD');
  for await (const found of client.workflow.list({ query: A_RUN })) {
    if ((seen += 1) > MOST_RETAINED) break;
    const deployment = found.typedSearchAttributes.get(key);
    const summary = memoSummary(found.memo);
    if (!summary || deployment === undefined || !names.includes(deployment)) continue;
    const over = found.status.name !== 'RUNNING';
    const cutOff = over && summary.outcome === undefined ? `${found.status.name} in Temporal` : undefined;
    const endedAt = found.closeTime?.toISOString();
    entries.push(
      historyEntry({ ...summary, ...(endedAt === undefined ? {} : { endedAt }) }, 'temporal', cutOff),
    );
  }
  return entries;
}

function chosen(entries: readonly HistoryEntry[], filter: HistoryFilter): HistoryEntry[] {
  const { site, outcome, since, until, limit } = filter;
  return entries
    .filter(
      (entry) =>
        (site === undefined || entry.from === site || entry.to === site) &&
        (outcome === undefined || entry.outcome === outcome) &&
        (since === undefined || entry.declaredAt >= since) &&
        (until === undefined || entry.declaredAt < until),
    )
    .sort((a, b) => (a.declaredAt < b.declaredAt ? 1 : a.declaredAt > b.declaredAt ? -1 : 0))
    .slice(0, limit);
}
