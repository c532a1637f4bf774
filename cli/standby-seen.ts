import { findingText } from '../domain/doctor.ts';
import { formatDuration } from '../domain/duration.ts';
import { lastWatch } from '../adapters/temporal/last-watch.ts';
import { replicates } from '../domain/strategy.ts';
import { deploymentOf, type Door } from './client.ts';
import { ANSWER_DEADLINE_MS } from './run-record.ts';

/** What the scheduled `watch` has seen of the standby when it looked last: a screen waits for no worker. */

/** @returns lines for people; none where the strategy does not replicate. */
export async function standbySeen(door: Door, name: string): Promise<string[]> {
  if (!replicates(deploymentOf(door.config, name).strategy)) return [];
  const last = await lastWatch(door.client, name, ANSWER_DEADLINE_MS).catch(() => undefined);
  if (!last?.watched.replication) return [`not watched: tyk-dr backup status ${name} looks now`];
  const { replication, drift = [] } = last.watched;
  const ago = formatDuration(Math.max(0, Date.now() - last.atMs));
  const bad = [...replication, ...drift].filter(({ severity }) => severity !== 'ok');
  const told = bad.length > 0 ? bad : replication;
  return told.map((each) => `${findingText(each)} (${ago} ago)`);
}
