import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { appendEvent, readJournal } from '../adapters/backup/journal.ts';
import { readImprovement } from '../adapters/backup/improvement.ts';
import { repositoryIsHere } from '../adapters/backup/runs.ts';
import { canonical } from '../adapters/config/digest.ts';
import type { CalendarNote } from '../domain/calendar-messages.ts';
import type { Config } from '../domain/config.ts';
import { calendarInForce } from '../domain/drill-calendar.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { workersOfSites } from '../domain/site-workers.ts';
import type { noteDrill, readStanding } from '../workflows/index.ts';
import { calendarOf } from './calendar-schedules.ts';
import { BRIEF_TASK_TIMEOUT_MS, deploymentOf, type Door } from './client.ts';

/** How drills stand, read where the repository can be reached from here, else by a worker that has it; and notes about them. */

const DEADLINE_MS = 40_000;

export async function standingOf(door: Door, name: string): Promise<DrillStanding> {
  return (
    (await standingHere(door.config, name)) ?? execute<typeof readStanding>(door, name, 'readStanding', [])
  );
}

/** Undefined where the repository is elsewhere. */
export async function standingHere(config: Config, name: string): Promise<DrillStanding | undefined> {
  const deployment = deploymentOf(config, name);
  if (!(await repositoryIsHere(deployment.backup))) return undefined;
  return (await readImprovement(deployment, name, new Date().toISOString())).standing;
}

/** What is due counts by the calendars that were in force, each from the day on which it was applied. */
export async function putInForce(door: Door, name: string): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  const calendar = calendarOf(deployment);
  const note: CalendarNote = { kind: 'calendar', ...calendar, actor: userInfo().username };
  if (!(await repositoryIsHere(deployment.backup))) {
    // Nothing is to be kept of what never was.
    if (deployment.drill?.schedules) await execute<typeof noteDrill>(door, name, 'noteDrill', [note]);
    return;
  }
  const { entries } = await readJournal(deployment.backup, name);
  const before = calendarInForce(entries);
  if (!before && !deployment.drill?.schedules) return;
  const { schedules, lateMs, signWithinMs } = before ?? { schedules: {}, lateMs: 0, signWithinMs: 0 };
  if (canonical({ schedules, lateMs, signWithinMs }) === canonical(calendar)) return;
  await appendEvent(deployment.backup, name, { ...note, at: new Date().toISOString() });
}

function execute<Of extends typeof readStanding | typeof noteDrill>(
  { client, config }: Door,
  name: string,
  workflow: string,
  more: readonly unknown[],
): Promise<Awaited<ReturnType<Of>>> {
  const workers = workersOfSites(deploymentOf(config, name));
  return client.workflow.execute(workflow, {
    workflowId: `drill-notes/${name}/${randomBytes(4).toString('hex')}`,
    taskQueue: WORKFLOW_QUEUE,
    args: [{ deployment: name, workers }, ...more],
    workflowExecutionTimeout: DEADLINE_MS,
    workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
    staticSummary: `Drills of ${name}`,
  }) as Promise<Awaited<ReturnType<Of>>>;
}
