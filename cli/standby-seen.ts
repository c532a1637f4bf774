import { findingText, type Finding } from '../domain/doctor.ts';
import { formatDuration } from '../domain/duration.ts';
import { scheduleId } from '../domain/schedules.ts';
import { replicates } from '../domain/strategy.ts';
import type { Watched } from '../workflows/watch.ts';
import { deploymentOf, type Door } from './client.ts';
import { soon } from './run-record.ts';

/** What the scheduled `watch` has seen of the standby when it looked last: a screen waits for no worker. */

/** One is under way while the screen is drawn: then the one before has a result. */
const LAST = 2;

/** @returns lines for people; none where the strategy does not replicate. */
export async function standbySeen(door: Door, name: string): Promise<string[]> {
  if (!replicates(deploymentOf(door.config, name).strategy)) return [];
  const seen = await lastWatched(door, name).catch(() => undefined);
  if (!seen) return [`not watched: tyk-dr backup status ${name} looks now`];
  const ago = formatDuration(Math.max(0, Date.now() - seen.atMs));
  const bad = seen.replication.filter(({ severity }) => severity !== 'ok');
  const told = bad.length > 0 ? bad : seen.replication;
  return told.map((each) => `${findingText(each)} (${ago} ago)`);
}

interface Seen {
  readonly atMs: number;
  readonly replication: readonly Finding[];
}

async function lastWatched(door: Door, name: string): Promise<Seen | undefined> {
  const { client } = door;
  const { info } = await soon(door, () => client.schedule.getHandle(scheduleId(name, 'watch')).describe());
  for (const { action, takenAt } of info.recentActions.slice(-LAST).reverse()) {
    if (action.type !== 'startWorkflow') continue;
    const { workflowId, firstExecutionRunId } = action.workflow;
    const handle = client.workflow.getHandle(workflowId, firstExecutionRunId);
    if ((await soon(door, () => handle.describe())).status.name !== 'COMPLETED') continue;
    const { replication } = (await soon(door, () => handle.result())) as Watched;
    return replication && { atMs: takenAt.getTime(), replication };
  }
  return undefined;
}
