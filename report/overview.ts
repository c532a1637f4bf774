import { formatDuration } from '../domain/duration.ts';
import { exposureText, type StoreExposure } from '../domain/exposure.ts';
import { rangeText, rpoRange, type StoreLoss } from '../domain/loss.ts';
import type { Tier } from '../domain/objectives.ts';
import type { Outlook } from '../domain/outlook.ts';
import type { RunSummary, WaitingStep } from '../domain/run-summary.ts';
import { columns } from './columns.ts';
import { rtoText, type HistoryEntry } from './history.ts';

/** All deployments on one screen, the most urgent first. Pure. */

export interface OverviewRow {
  readonly deployment: string;
  readonly tier: Tier;
  /** 1 is the most urgent. */
  readonly priority: number;
  readonly rtoMs: number;
  /** `held`: something other than a recovery has the deployment's lock. */
  readonly state: 'idle' | 'running' | 'held';
  /** Who has the deployment's lock, and since when. */
  readonly heldBy?: {
    readonly run: string;
    readonly runbook: string;
    readonly actor?: string;
    readonly since: string;
  };
  readonly run?: RunSummary;
  readonly outlook?: Outlook;
  /** What the run stands still for. */
  readonly waitsFor: readonly WaitingStep[];
  readonly missingWorkers: readonly { readonly text: string; readonly start: string }[];
  /** A backup, verification or retention that is under way. */
  readonly backup?: { readonly run: string; readonly since: string };
  /** The last run, where none is under way. */
  readonly last?: HistoryEntry;
  /** Who follows the site that serves, as it was watched last; absent where the strategy does not replicate. */
  readonly replication?: readonly string[];
  /** What is due or late of drills; absent where the repository is elsewhere. */
  readonly drills?: readonly string[];
  /** What the monitor says of the site that serves; absent where none is configured. */
  readonly monitor?: string;
  /** What would be lost, and what the last recovery has lost; absent where no beacon is configured, or its journal is elsewhere. */
  readonly loss?: {
    readonly exposure: readonly StoreExposure[];
    readonly recovery?: { readonly run: string; readonly at: string; readonly losses: readonly StoreLoss[] };
  };
}

const HEADINGS = ['TIER', 'DEPLOYMENT', 'STATE', 'PHASE', 'CLOCK OF RTO', 'FORECAST', 'HELD BY'];

export function overviewLines(rows: readonly OverviewRow[], nowMs: number): string[] {
  const [head, ...lines] = columns([HEADINGS, ...rows.map((row) => cells(row, nowMs))]);
  return [head!, ...lines.flatMap((line, index) => [line, ...below(rows[index]!, nowMs)])];
}

function cells(row: OverviewRow, nowMs: number): string[] {
  const { heldBy, run, outlook: out } = row;
  const tier = `${row.priority} ${row.tier}`;
  if (!heldBy) return [tier, row.deployment, 'idle', '', `RTO ${formatDuration(row.rtoMs)}`, '', ''];
  const by = `${heldBy.run}${heldBy.actor === undefined ? '' : ` by ${heldBy.actor}`}`;
  if (!run || !out) return [tier, row.deployment, heldBy.runbook, '', '', '', by];
  const phase = `${run.phase} (${run.done} of ${run.of} steps)`;
  const clock = `${formatDuration(out.elapsedMs)} of ${formatDuration(out.rtoMs)}`;
  return [tier, row.deployment, stateText(row), phase, clock, outlookText(out, nowMs), by];
}

function stateText({ waitsFor, missingWorkers }: OverviewRow): string {
  return waitsFor.length + missingWorkers.length > 0 ? 'WAITING' : 'running';
}

/** `breaches at 14:32 UTC` first: that is what a commander looks for. */
export function outlookText(out: Outlook, nowMs: number): string {
  const deadline = clockTime(out.deadlineAt, nowMs);
  const expected = out.expectedAt === undefined ? '' : clockTime(out.expectedAt, nowMs);
  const done =
    out.behindMs === undefined
      ? `done about ${expected}`
      : `${formatDuration(out.behindMs)} behind its forecast`;
  switch (out.verdict) {
    case 'met':
      return 'traffic verified within the RTO';
    case 'missed':
      return 'RTO missed';
    case 'breached':
      return `BREACHED at ${deadline}${out.expectedAt === undefined ? '' : `, ${done}`}`;
    case 'will breach':
      return `breaches at ${deadline}, ${done}`;
    case 'in time':
      return `${done}, breaches at ${deadline}`;
    case 'no forecast':
      return `no forecast yet, breaches at ${deadline}`;
  }
}

/** Hours and minutes; with the day where it is not today. */
export function clockTime(at: string, nowMs: number): string {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  return at.startsWith(today) ? `${at.slice(11, 16)} UTC` : `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}

function lossBelow({ loss }: OverviewRow): string[] {
  if (!loss) return [];
  const { exposure, recovery } = loss;
  const range = rpoRange(recovery?.losses);
  return [
    ...exposure.map((each) => `    exposed: ${exposureText(each)}`),
    ...(recovery ? [`    lost by ${recovery.run}: ${range ? rangeText(range) : 'not measured'}`] : []),
  ];
}

/** What is asked of people, under the row of the deployment. */
function below(row: OverviewRow, nowMs: number): string[] {
  const { run, last, backup } = row;
  return [
    ...row.waitsFor.map(
      ({ step, for: what, error }) => `    ! ${step} waits for ${what}${error && `: ${error}`}`,
    ),
    ...(run && row.waitsFor.some(({ who }) => who === 'person')
      ? [`      what to type: tyk-dr status ${run.run}`]
      : []),
    ...row.missingWorkers.flatMap(({ text, start }) => [
      `    ! ${text}`,
      `      start it on its host: ${start}`,
    ]),
    ...(backup
      ? [`    backup ${backup.run} for ${formatDuration(Math.max(0, nowMs - Date.parse(backup.since)))}`]
      : []),
    ...lossBelow(row),
    ...(row.monitor === undefined ? [] : [`    monitor: ${row.monitor}`]),
    ...(row.replication ?? []).map((text) => `    replication: ${text}`),
    ...(row.drills ?? []).map((text) => `    drills: ${text}`),
    ...(last
      ? [`    last: ${last.run} ${last.state}, ${rtoText(last)}, ended ${last.endedAt ?? 'never'}`]
      : []),
  ];
}
