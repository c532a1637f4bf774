import {
  CancellationScope,
  defineSignal,
  getExternalWorkflowHandle,
  workflowInfo,
} from '@temporalio/workflow';
import { FLEET_SIGNALS, fleetOfTurn } from '../domain/fleet.ts';
import type { RunRecord } from '../domain/run.ts';

/** A run of a fleet says when it stands still for people, and when it goes on: its place is another's meanwhile. */

const standingSignal = defineSignal<[string, string | undefined]>(FLEET_SIGNALS.standing);

/** What was said last, by run; weak, so that it holds no state beyond its run. */
const said = new WeakMap<RunRecord, string>();

/** Call whenever something has changed. Does nothing where the run belongs to no fleet. */
export function tellFleet(record: RunRecord): void {
  const fleet = fleetOfTurn(workflowInfo().parent?.workflowId);
  if (fleet === undefined) return;
  const waitsFor = standsStillFor(record);
  if (said.get(record) === waitsFor) return;
  if (waitsFor === undefined) said.delete(record);
  else said.set(record, waitsFor);
  // Also while an abort cancels all else; and a fleet that is gone need not hear of it.
  CancellationScope.nonCancellable(() =>
    getExternalWorkflowHandle(fleet).signal(standingSignal, record.deployment, waitsFor),
  ).catch(() => undefined);
}

/** A worker that is away keeps the place: its other deployments could not go on either. */
function standsStillFor({ waits, steps }: RunRecord): string | undefined {
  const open = waits.find(({ until }) => until === undefined);
  return open === undefined || steps.some(({ state }) => state === 'running')
    ? undefined
    : open.for.slice(0, 200);
}
