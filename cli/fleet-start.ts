import { WorkflowExecutionAlreadyStartedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { mapParallel } from '../adapters/files/map-parallel.ts';
import { DrError } from '../domain/errors.ts';
import {
  fleetId,
  turnId,
  type Asking,
  type FleetInput,
  type FleetRunbook,
  type TurnInput,
} from '../domain/fleet.ts';
import { byUrgency } from '../domain/fleet-turns.ts';
import { SEARCH_ATTRIBUTES, WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { fleet, turn } from '../workflows/index.ts';
import { TASK_TIMEOUT_MS } from './client.ts';

/** How a fleet begins: first the workflow that gives the turns, then those that ask for one, the most urgent first. */

/** A deployment that may be recovered, with all that its run needs. */
export interface Ready {
  readonly asking: Asking;
  readonly input: RecoverInput;
  /** A drill of this run holds its lock, and is told to end. */
  readonly afterDrill?: string;
}

/** A plan is a few KiB: as one input a fleet of hundreds would be more than Temporal takes. */
const STARTS_AT_A_TIME = 16;

/** Before everything else of a fleet: a handful of tasks decides when all others may begin. */
const FIRST = { priorityKey: 1 };

/** Hundreds may ask within one task, and a history of thousands of events is read again after a worker has died. */
const FLEET_TASK_TIMEOUT_MS = 2 * TASK_TIMEOUT_MS;

/** @throws DrError FLEET_RUNNING */
export async function startFleet(
  client: Pick<Client, 'workflow'>,
  input: Omit<FleetInput, 'coming'>,
  ready: readonly Ready[],
): Promise<WorkflowHandle<typeof fleet>> {
  const { site, runbook, actor, reason } = input;
  const workflowId = fleetId(site);
  const handle = await client.workflow
    .start<typeof fleet>('fleet', {
      workflowId,
      taskQueue: WORKFLOW_QUEUE,
      args: [{ ...input, coming: counted(ready) }],
      workflowTaskTimeout: FLEET_TASK_TIMEOUT_MS,
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      priority: FIRST,
      staticSummary: `${runbook} ${ready.length} deployments that have lost ${site}`,
      staticDetails: `${reason}\n\nStarted by ${actor}.`,
      typedSearchAttributes: attributes(site),
    })
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw new DrError('FLEET_RUNNING', { site });
    });
  const inOrder = byUrgency(ready.map((each) => ({ ...each.asking, each })));
  // What an ended fleet has left waiting has done nothing.
  const start = ({ each }: { each: Ready }) => startTurn(client, site, runbook, each, 'TERMINATE_EXISTING');
  await mapParallel(inOrder, start, STARTS_AT_A_TIME);
  return handle;
}

/** @throws DrError ALREADY_IN_FLEET */
export async function startTurn(
  client: Pick<Client, 'workflow'>,
  site: string,
  runbook: FleetRunbook,
  { asking, input, afterDrill }: Ready,
  workflowIdConflictPolicy: 'FAIL' | 'TERMINATE_EXISTING',
): Promise<void> {
  const { deployment, priority } = asking;
  const args: TurnInput = {
    ...{ fleet: fleetId(site), runbook, asking, input },
    ...(afterDrill === undefined ? {} : { afterDrill }),
  };
  await client.workflow
    .start<typeof turn>('turn', {
      workflowId: turnId(site, deployment),
      taskQueue: WORKFLOW_QUEUE,
      args: [args],
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      workflowIdConflictPolicy,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      priority: { priorityKey: priority },
      staticSummary: `Turn of ${deployment}, as one of those that have lost ${site}`,
      typedSearchAttributes: attributes(site, deployment),
    })
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw new DrError('ALREADY_IN_FLEET', { site, deployment });
    });
}

function counted(ready: readonly Ready[]): Record<number, number> {
  const coming: Record<number, number> = {};
  for (const { asking } of ready) coming[asking.priority] = (coming[asking.priority] ?? 0) + 1;
  return coming;
}

/** Not that of the run: by it a run is found, and no turn. */
function attributes(site: string, deployment?: string): TypedSearchAttributes {
  const key = (name: keyof typeof SEARCH_ATTRIBUTES) =>
    defineSearchAttributeKey(SEARCH_ATTRIBUTES[name], 'KEYWORD');
  return new TypedSearchAttributes([
    { key: key('site'), value: site },
    ...(deployment === undefined ? [] : [{ key: key('deployment'), value: deployment }]),
  ]);
}
