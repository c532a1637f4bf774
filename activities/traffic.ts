import type { TrafficConfig } from '../domain/config.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { notMeasured, requireProofs } from './proofs.ts';
import { driverOf } from './traffic/choose.ts';
import { clientProofs } from './traffic/client-proofs.ts';
import type { Moved, TrafficDriver } from './traffic/driver.ts';
import { forgetFound, keepFound, keptBy } from './traffic/kept.ts';
import { switchBySteps } from './traffic/stages.ts';

/** The clients' address: switched only after every proof, and proven from outside afterwards. */

export function createTrafficActivities(deps: Deps) {
  return {
    'hold-traffic': guarded(deps, 'mutate', holdTraffic),
    'drain-source': guarded(deps, 'mutate', drainSource),
    'share-traffic': guarded(deps, 'mutate', shareTraffic),
    'switch-traffic': guarded(deps, 'mutate', switchTraffic),
    'prove-traffic': guarded(deps, 'probe', proveTraffic),
    'undo-traffic': guarded(deps, 'release', undoTraffic),
  };
}

/** The site that is rebuilt in place gets no request until it is proven. */
async function holdTraffic(call: Call): Promise<StepResult> {
  return resultOf(await driverOfCall(call).driver.holdOut(call.input.plan.to));
}

/** Both sites serve: the one that is to be left gets no more clients, and what is under way there ends. */
async function drainSource(call: Call): Promise<StepResult> {
  const { driver } = driverOfCall(call);
  const { found } = await driver.look();
  await keepFound(call.target.stateDir, call.input.run, found);
  return resultOf(await driver.point(call.input.plan.to, WHOLE));
}

const WHOLE = 100;

async function shareTraffic(call: Call): Promise<StepResult> {
  const { traffic, driver } = driverOfCall(call);
  const { to, replicate } = call.input.plan;
  const moved = await driver.point(to, replicate!.sharePercent);
  const proofs = await clientProofs(call, traffic, driver);
  requireProofs(proofs);
  return { ...resultOf(moved), proofs };
}

async function switchTraffic(call: Call): Promise<StepResult> {
  const { traffic, driver } = driverOfCall(call);
  const standing = await driver.look();
  const kept = await keepFound(call.target.stateDir, call.input.run, standing.found);
  const { moves, proofs } = await switchBySteps(call, traffic, driver, standing, kept);
  return { ...resultOf(...moves), proofs };
}

async function proveTraffic(call: Call): Promise<StepResult> {
  const { traffic, driver } = driverOfCall(call);
  const leads = await driver.leadsTo?.(call.input.plan.to);
  const outside = await clientProofs(call, traffic, driver);
  const proofs = [...(leads ? [leads] : []), ...outside];
  requireProofs(proofs);
  if (outside.length === 0)
    return {
      summary: 'no probe is configured',
      proofs: [...proofs, notMeasured('outside address', 'no probes')],
    };
  return { summary: `${outside.length} probes answer at ${traffic.url} as they must`, proofs };
}

/** As it was when the run first switched it; a run that never did changes nothing. */
async function undoTraffic(call: Call): Promise<StepResult> {
  const { stateDir } = call.target;
  const found = await keptBy(stateDir, call.input.run);
  if (!found) return { summary: 'the traffic was not touched' };
  const moved = await driverOfCall(call).driver.putBack(found);
  await forgetFound(stateDir);
  return { ...resultOf(moved), summary: `put back: ${resultOf(moved).summary}` };
}

function driverOfCall({ deployment, input, signal, secret }: Call): {
  traffic: TrafficConfig;
  driver: TrafficDriver;
} {
  const { traffic } = deployment;
  const driver = driverOf(deployment, { run: input.run, signal, secret });
  if (!traffic || !driver) throw new Error('the plan switches traffic that the configuration does not have');
  return { traffic, driver };
}

/** What the last one led to, with the notes of all. */
function resultOf(...moves: readonly Moved[]): StepResult {
  const notes = moves.flatMap((moved) => moved.notes);
  const exceptions = moves.flatMap(({ exception }) => (exception === undefined ? [] : [exception]));
  return {
    summary: [moves.at(-1)?.what, ...notes].join('; '),
    observed: moves.every(({ changed }) => !changed),
    ...(exceptions.length > 0 ? { exception: exceptions.join('; ') } : {}),
  };
}
