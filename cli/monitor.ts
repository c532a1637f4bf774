import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { SEARCH_ATTRIBUTES, WORKFLOW_QUEUE } from '../domain/messages.ts';
import {
  MONITOR_PAUSE,
  MONITOR_RESUME,
  MONITOR_STOP,
  monitorId,
  type MonitorArgs,
  type MonitorSummary,
} from '../domain/monitor.ts';
import { LONGEST_PAUSE_MS } from '../domain/monitor-args.ts';
import { monitorLines } from '../domain/monitor-text.ts';
import { monitorInput } from '../runbooks/monitor-input.ts';
import type { monitor } from '../workflows/index.ts';
import { actorArgument, durationArgument, nameArgument, textArgument } from './arguments.ts';
import { deploymentOf, TASK_TIMEOUT_MS, withDoor, type Door } from './client.ts';
import { requireWhoAndWhy } from './decide.ts';
import { findMonitor } from './monitor-handle.ts';
import { sendUpdate } from './send-update.ts';

/** `tyk-dr monitor`: starts the monitor of a deployment, shows what it sees, and holds it back during maintenance. */

interface MonitorOptions {
  readonly stop?: boolean;
  readonly pause?: number;
  readonly resume?: boolean;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export function registerMonitor(program: Command, config: () => string | undefined): void {
  program
    .command('monitor')
    .description('Watch whether a deployment serves: start the monitor, or show what it sees')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--stop', 'end it: nobody watches any more')
    .option(
      '--pause <duration>',
      'decide nothing for this long, such as 2h of maintenance',
      durationArgument('--pause', LONGEST_PAUSE_MS),
    )
    .option('--resume', 'decide again before a pause is over')
    .option('--reason <text>', 'why; needed to stop, pause and resume', textArgument('--reason'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .option('--json', 'as JSON')
    .action((name: string, options: MonitorOptions) =>
      withDoor(config(), async (door) => {
        deploymentOf(door.config, name);
        const update = updateOf(options);
        if (update) process.stdout.write(`${await send(door, name, update.kind, update.args)}\n`);
        else await startOrShow(door, name, options);
      }),
    );
}

function updateOf(options: MonitorOptions): { kind: string; args: MonitorArgs } | undefined {
  const { stop, pause, resume, reason = '', actor = userInfo().username } = options;
  const asked = [
    ...(stop ? [MONITOR_STOP] : []),
    ...(pause === undefined ? [] : [MONITOR_PAUSE]),
    ...(resume ? [MONITOR_RESUME] : []),
  ];
  if (asked.length === 0) return undefined;
  if (asked.length > 1)
    throw new DrError('BAD_ARGUMENT', {
      argument: `--${asked[1]}`,
      value: `beside --${asked[0]}`,
      expected: 'one of --stop, --pause and --resume',
    });
  const args = { actor, reason, ...(pause === undefined ? {} : { forMs: pause }) };
  requireWhoAndWhy(args);
  return { kind: asked[0]!, args };
}

/** @throws DrError MONITOR_NOT_RUNNING, DECISION_NOT_TAKEN */
async function send(door: Door, name: string, kind: string, args: MonitorArgs): Promise<string> {
  if (!(await findMonitor(door, name))?.isRunning)
    throw new DrError('MONITOR_NOT_RUNNING', { deployment: name });
  const handle = door.client.workflow.getHandle(monitorId(name));
  return sendUpdate(door, handle, { kind, args, to: `the monitor of ${name}` });
}

async function startOrShow(door: Door, name: string, options: MonitorOptions): Promise<void> {
  const found = await findMonitor(door, name);
  if (found?.isRunning) return show(name, found.summary, found.fromNotes, options);
  await startMonitor(door, name, options, found?.summary);
  const text = options.json
    ? JSON.stringify({ version: 1, type: 'started', deployment: name })
    : `${name} is monitored from now on; tyk-dr monitor ${name} shows what is seen`;
  process.stdout.write(`${text}\n`);
}

/** @throws DrError MONITOR_NOT_CONFIGURED */
async function startMonitor(
  door: Door,
  name: string,
  { actor = userInfo().username, reason = 'started' }: MonitorOptions,
  before: MonitorSummary | undefined,
): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  const { monitor: section } = deployment;
  if (!section) throw new DrError('MONITOR_NOT_CONFIGURED', { deployment: name });
  // A stop and a start make no new budget.
  const memory = before && {
    ...{ heals: before.heals, starts: before.starts },
    ...(before.serving === undefined ? {} : { serving: before.serving }),
  };
  const input = monitorInput(name, { ...deployment, monitor: section }, { actor, reason }, memory);
  const attributes = { deployment: name, runbook: 'monitor', tier: deployment.tier } as const;
  await door.client.workflow
    .start<typeof monitor>('monitor', {
      workflowId: monitorId(name),
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      workflowIdConflictPolicy: 'FAIL',
      priority: { priorityKey: input.settings.priority },
      staticSummary: `Monitor of ${name}`,
      staticDetails: `${reason}\n\nStarted by ${actor}.`,
      typedSearchAttributes: new TypedSearchAttributes(
        Object.entries(attributes).map(([key, value]) => ({
          key: defineSearchAttributeKey(SEARCH_ATTRIBUTES[key as keyof typeof attributes], 'KEYWORD'),
          value,
        })),
      ),
    })
    .catch((error: unknown) => {
      // Somebody was quicker, and it runs.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    });
}

function show(
  name: string,
  summary: MonitorSummary | undefined,
  fromNotes: boolean,
  { json }: MonitorOptions,
): void {
  if (json) {
    const known = summary ?? { deployment: name, state: null };
    process.stdout.write(`${JSON.stringify({ version: 1, fromNotes, ...known }, undefined, 2)}\n`);
    return;
  }
  const lines = summary
    ? [
        ...(fromNotes ? ['no worker answers; from the monitor’s own notes:'] : []),
        ...monitorLines(summary, new Date().toISOString()),
      ]
    : [`${name}: the monitor has not begun: no worker has taken it yet`];
  process.stdout.write(`${lines.join('\n')}\n`);
}
