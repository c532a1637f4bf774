import { defineSearchAttributeKey } from '@temporalio/common';
import type { Command } from 'commander';
import { SEARCH_ATTRIBUTES } from '../domain/messages.ts';
import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { outputLines } from '../report/asks.ts';
import { liveTable } from '../report/table.ts';
import { jsonReport } from '../report/json.ts';
import { runArgument } from './arguments.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { follow } from './follow.ts';
import { lateFences } from './late-fences.ts';
import { currentRecord, soon } from './run-record.ts';

/** `tyk-dr status`: where a run stands. It answers also when no worker lives. */

interface StatusOptions {
  readonly watch?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
}

export function registerStatus(program: Command, config: () => string | undefined): void {
  program
    .command('status')
    .description('Where a run stands, and what it waits for')
    .argument('[run]', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .option('--watch', 'follow it until it ends')
    .option('--list', 'the newest runs of every deployment, a line each')
    .option('--json', 'as JSON')
    .action(async (run: string | undefined, options: StatusOptions) => {
      await withDoor(config(), async (door) => {
        if (options.list) return await list(door, options.json ?? false);
        const handle = await findRun(door, run);
        const description = await soon(door, () => handle.describe());
        const id = String(description.memo?.['run'] ?? run ?? handle.workflowId);
        if (options.watch) return await follow(door, handle, id, options.json ?? false);
        await show(door, handle, description, options.json ?? false);
      });
    });
}

/** As many as fit a screen; older ones are in Temporal's own UI. */
const LISTED = 20;

interface ListedRun {
  readonly run: string;
  readonly deployment: string;
  readonly site: string;
  readonly state: string;
  readonly startedAt: string;
}

async function list({ client, config }: Door, json: boolean): Promise<void> {
  const runs: ListedRun[] = [];
  for await (const found of client.workflow.list({ query: 'WorkflowType = "recover"' })) {
    const attribute = (name: keyof typeof SEARCH_ATTRIBUTES): string =>
      String(
        found.typedSearchAttributes.get(defineSearchAttributeKey(SEARCH_ATTRIBUTES[name], 'KEYWORD')) ?? '',
      );
    const deployment = attribute('deployment');
    if (!(deployment in config.deployments)) continue;
    runs.push({
      run: attribute('run'),
      deployment,
      site: attribute('site'),
      state: attribute('outcome') || `${found.status.name}, ${attribute('phase')}`,
      startedAt: found.startTime.toISOString(),
    });
    if (runs.length === LISTED) break;
  }
  const lines = runs.map(
    ({ run, deployment, site, state, startedAt }) =>
      `${run}  ${startedAt}  ${deployment.padEnd(16)} to ${site.padEnd(12)} ${state}`,
  );
  const text = lines.length > 0 ? lines.join('\n') : 'no run yet';
  process.stdout.write(json ? `${JSON.stringify({ version: 1, runs }, undefined, 2)}\n` : `${text}\n`);
}

async function show(
  door: Door,
  handle: WorkflowHandle,
  description: WorkflowExecutionDescription,
  json: boolean,
): Promise<void> {
  const record = await currentRecord(door, handle);
  if (record) {
    process.stdout.write(json ? `${jsonReport(record)}\n` : `${liveTable(record, Date.now()).join('\n')}\n`);
    const fences = json ? [] : await lateFences(door, record);
    for (const line of fences) process.stdout.write(`${line}\n`);
  } else {
    const memo = description.memo ?? {};
    process.stdout.write(
      json ? `${JSON.stringify(memo, undefined, 2)}\n` : `${memoLines(memo).join('\n')}\n`,
    );
  }
  for (const line of pendingLines(description)) process.stderr.write(`${line}\n`);
}

/** Without a worker nobody can be asked: what the run itself left for this moment. */
function memoLines(memo: Record<string, unknown>): string[] {
  const summary = (memo['summary'] ?? {}) as Record<string, unknown>;
  const waiting = (summary['waiting'] ?? []) as {
    step: string;
    for: string;
    error: string;
    output?: string;
  }[];
  const paused = summary['paused'] as { actor: string; at: string; reason: string } | null | undefined;
  return [
    `no worker answers; from the run's own notes:`,
    `RUNNING  ${String(memo['run'] ?? '')}  ${String(summary['deployment'] ?? '')} from ${String(summary['from'] ?? '')} to ${String(summary['to'] ?? '')}`,
    `  phase ${String(summary['phase'] ?? 'unknown')}, ${String(summary['done'] ?? 0)} of ${String(summary['of'] ?? '?')} steps done`,
    ...(paused ? [`  ! paused by ${paused.actor} at ${paused.at}: ${paused.reason}`] : []),
    ...waiting.flatMap((step) => [
      `  ! ${step.step} waits for ${step.for}: ${step.error}`,
      ...outputLines(step.output),
    ]),
  ];
}

/** Activities that no worker has taken, or that keep failing: Temporal knows even when our workers do not. */
function pendingLines(description: WorkflowExecutionDescription): string[] {
  const pending = description.raw.pendingActivities ?? [];
  return pending
    .filter((activity) => (activity.attempt ?? 1) > 1 || !activity.lastStartedTime)
    .map((activity) => {
      const why = activity.lastFailure?.message ?? 'no worker has taken it';
      return `pending: ${activity.activityType?.name ?? 'an activity'}, attempt ${activity.attempt ?? 1}: ${why}`;
    });
}
