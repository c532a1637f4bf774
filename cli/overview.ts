import type { WorkflowExecutionDescription } from '@temporalio/client';
import { lossStanding } from '../adapters/beacon/standing.ts';
import { notesOf } from '../adapters/temporal/monitor.ts';
import { isRunbook } from '../domain/failover.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { backupId, lockId, RECORD_QUERY } from '../domain/messages.ts';
import { monitorId } from '../domain/monitor.ts';
import { monitorLine } from '../domain/monitor-text.ts';
import { outlook } from '../domain/outlook.ts';
import { summaryOf, type WaitingStep } from '../domain/run-summary.ts';
import type { RunRecord } from '../domain/run.ts';
import { openDrills } from '../report/drills.ts';
import type { OverviewRow } from '../report/overview.ts';
import { historyOf } from './history.ts';
import { deploymentOf, type Door } from './client.ts';
import { standingHere } from './drill-standing.ts';
import { memoSummary } from './memo-summary.ts';
import { missingWorkers, withoutReturned, type MissingWorker } from './missing-workers.ts';
import { standbySeen } from './standby-seen.ts';
import { described, queried } from './run-record.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** All deployments at once, for `tyk-dr status`: what each one's lock holds, and what that waits for. */

/** The memo tells the rest: one run without a worker must not keep the screen from the others. */
const QUERY_DEADLINE_MS = 1_000;

/** The most urgent first: by priority, then by name. */
export async function overviewOf(door: Door): Promise<OverviewRow[]> {
  const rows = await Promise.all(Object.keys(door.config.deployments).map((name) => rowOf(door, name)));
  return rows.sort((a, b) => a.priority - b.priority || (a.deployment < b.deployment ? -1 : 1));
}

async function rowOf(door: Door, name: string): Promise<OverviewRow> {
  const { tier, objectives } = shapeOf(name, deploymentOf(door.config, name));
  const found = (id: string) => described(door, door.client.workflow.getHandle(id));
  const [lock, backup, monitor, loss, drills, replication] = await Promise.all([
    found(lockId(name)),
    found(backupId(name)),
    found(monitorId(name)),
    lossStanding(name, deploymentOf(door.config, name)).catch(() => undefined),
    drillsFor(door, name),
    standbySeen(door, name),
  ]);
  const own = {
    ...{ deployment: name, tier, priority: TIER_DEFAULTS[tier].priority, rtoMs: objectives.rtoMs },
    ...(loss ? { loss } : {}),
    ...(drills.length > 0 ? { drills } : {}),
    ...(replication.length > 0 ? { replication } : {}),
    ...monitorOf(door, name, monitor),
  };
  const beside =
    backup?.status.name === 'RUNNING'
      ? { backup: { run: String(backup.memo?.['run'] ?? backup.workflowId), since: iso(backup) } }
      : {};
  if (lock?.status.name !== 'RUNNING') {
    const [last] = await historyOf(door, [name], { limit: 1 }, 'only here');
    return { ...own, ...beside, state: 'idle', waitsFor: [], missingWorkers: [], ...(last ? { last } : {}) };
  }
  const nowMs = Date.now();
  const asked = await recordNow(door, lock);
  const record = asked && withoutReturned(asked, lock);
  // From the run itself, else from the notes that it left; neither where it is no recovery.
  const summary = record ? summaryOf(record) : memoSummary(lock.memo);
  const missing = missingWorkers(lock, nowMs, record);
  return {
    ...own,
    ...beside,
    state: summary ? 'running' : 'held',
    heldBy: {
      run: summary?.run ?? String(lock.memo?.['run'] ?? lock.workflowId),
      runbook: lock.type,
      ...(summary ? { actor: summary.actor } : {}),
      since: iso(lock),
    },
    ...(summary ? { run: summary, outlook: outlook(summary, nowMs) } : {}),
    waitsFor: waitsBeside(summary?.waiting ?? [], missing),
    missingWorkers: missing,
  };
}

/** As it has noted itself: a screen waits for no worker. */
function monitorOf(
  { config }: Door,
  name: string,
  found: WorkflowExecutionDescription | undefined,
): Pick<OverviewRow, 'monitor'> {
  const isRunning = found?.status.name === 'RUNNING';
  if (!isRunning) return config.deployments[name]!.monitor ? { monitor: 'not running: nobody watches' } : {};
  const summary = notesOf(found);
  return { monitor: summary ? monitorLine(summary) : 'has not looked yet' };
}

const iso = ({ startTime }: WorkflowExecutionDescription): string => startTime.toISOString();

async function recordNow(door: Door, lock: WorkflowExecutionDescription): Promise<RunRecord | undefined> {
  if (!isRunbook(lock.type)) return undefined;
  const handle = door.client.workflow.getHandle(lock.workflowId, lock.runId);
  return queried<RunRecord>(door, handle, RECORD_QUERY, QUERY_DEADLINE_MS);
}

/** What is said of a missing worker need not be said twice. */
function waitsBeside(waiting: readonly WaitingStep[], missing: readonly MissingWorker[]): WaitingStep[] {
  const said = missing.flatMap(({ steps }) => steps);
  return waiting.filter(({ step, who }) => who === 'person' || !said.includes(step));
}

/** From here or not at all: a screen that a commander looks at waits for nobody. */
async function drillsFor({ config }: Door, name: string): Promise<string[]> {
  const standing = await standingHere(config, name).catch(() => undefined);
  return standing ? openDrills(standing) : [];
}
