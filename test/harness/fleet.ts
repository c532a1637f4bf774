import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startFleet, type Ready } from '../../cli/fleet-start.ts';
import {
  FLEET_QUERY,
  type Asking,
  type FleetInput,
  type FleetLimits,
  type FleetRecord,
} from '../../domain/fleet.ts';
import type { StepInput } from '../../domain/plan.ts';
import { TIER_DEFAULTS, type Tier } from '../../domain/objectives.ts';
import { recoverInput, type Fakes } from './recover-input.ts';
import { FULL_SHAPE } from './shape.ts';

/** Small fleets on a real Temporal server. */

export const NO_LIMITS: FleetLimits = { all: 100, perSite: 100, perRepository: 100, perWorker: 100 };

/** A deployment without stores and Dashboard: few steps, so that a fleet of them is told in seconds. */
export function ready(deployment: string, tier: Tier, more: Partial<Asking> = {}): Ready {
  const shape = {
    ...FULL_SHAPE,
    ...{ deployment, tier, hasDashboard: false, hasDatabase: false, hasRedis: false, hasPump: false },
    ...{ hasTraffic: false, hasWitness: false },
  };
  const input = recoverInput({ scenario: 'regional' }, shape);
  return {
    input,
    asking: {
      ...{ deployment, run: input.run, tier, priority: TIER_DEFAULTS[tier].priority },
      ...{ basisAt: '2026-11-24T03:00:00.000Z', rtoMs: TIER_DEFAULTS[tier].rtoMs, to: 'dr' },
      ...{ workers: ['dr'], repository: 'r1' },
      ...more,
    },
  };
}

export function fleetInput(site: string, limits: Partial<FleetLimits> = {}): Omit<FleetInput, 'coming'> {
  return {
    ...{ site, runbook: 'recover', scenario: 'regional', actor: 'ann', reason: 'the region is gone' },
    ...{ declaredAt: '2026-11-24T03:00:00.000Z', limits: { ...NO_LIMITS, ...limits }, notTaken: [] },
  };
}

export function begin(
  { client }: TestWorkflowEnvironment,
  input: Omit<FleetInput, 'coming'>,
  members: readonly Ready[],
): Promise<WorkflowHandle> {
  return startFleet(client, input, members);
}

/** Waits until the fleet is in a state. */
export async function awaitFleet(
  handle: WorkflowHandle,
  isSo: (record: FleetRecord) => boolean,
): Promise<FleetRecord> {
  for (const until = Date.now() + 30_000; Date.now() < until; await sleep(50)) {
    const record = await handle.query<FleetRecord>(FLEET_QUERY);
    if (isSo(record)) return record;
  }
  throw new Error('the fleet did not come into the state');
}

/** Holds the named deployment in its first step until it is let go. */
export function held(...names: string[]): { fakes: Fakes; letGo: () => void } {
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const wait = async ({ plan }: StepInput) => {
    if (names.includes(plan.deployment)) await gate;
    return undefined as never;
  };
  return { fakes: { 'check-target': wait }, letGo };
}
