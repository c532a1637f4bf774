import { userInfo } from 'node:os';
import { readImprovement, type KnownImprovement } from '../adapters/backup/improvement.ts';
import { appendEvent } from '../adapters/backup/journal.ts';
import { repositoryIsHere } from '../adapters/backup/runs.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Finding } from '../domain/findings.ts';
import type { Entry, JournalEvent } from '../domain/journal.ts';
import type { RunRecord } from '../domain/run.ts';
import { deploymentOf } from './client.ts';

/** The door of `findings`, `lesson` and `review` to what lies in the repository: records of runs, and the journal. */

export interface Improvement extends Omit<KnownImprovement, 'damaged'> {
  readonly name: string;
  readonly deployment: Deployment;
}

/** Without Temporal and workers: on any host that reaches the repository. @throws DrError REPOSITORY_UNREADABLE */
export async function openImprovement(
  configPath: string | undefined,
  only: string | undefined,
): Promise<Improvement> {
  const config = await loadConfig(configPath);
  const names = Object.keys(config.deployments);
  const name = only ?? (names.length === 1 ? names[0]! : undefined);
  if (name === undefined)
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: 'DEPLOYMENT', value: 'missing', expected: `one of ${names.join(', ')}` },
    });
  const deployment = deploymentOf(config, name);
  const { backup } = deployment;
  if (!(await repositoryIsHere(backup)))
    throw new DrError('REPOSITORY_UNREADABLE', {
      path: backup.repository,
      reason: 'it is not on this host; findings are kept in it',
    });
  const { damaged, ...known } = await readImprovement(deployment, name, new Date().toISOString());
  for (const file of damaged)
    process.stderr.write(`warning: ${file} is no event of the journal any more; it was not read\n`);
  return { name, deployment, ...known };
}

type Unsaid = JournalEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, 'actor' | 'at'>
    : never
  : never;

/** Adds an event of now. */
export async function say(
  { name, deployment }: Improvement,
  event: Unsaid,
  actor = userInfo().username,
): Promise<Entry> {
  const said = { ...event, actor, at: new Date().toISOString() } as JournalEvent;
  return appendEvent(deployment.backup, name, said);
}

/** @throws DrError FINDING_UNKNOWN */
export function requireFinding({ findings, name }: Improvement, id: string): Finding {
  const found = findings.find((each) => each.id.toLowerCase() === id.toLowerCase());
  if (!found) throw new DrError('FINDING_UNKNOWN', { finding: id, deployment: name });
  return found;
}

/** @throws DrError UNKNOWN_RUN */
export function requireRecord({ records }: Improvement, run: string): RunRecord {
  const found = records.find((record) => record.run === run);
  if (!found) throw new DrError('UNKNOWN_RUN', { run });
  return found;
}
