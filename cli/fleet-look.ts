import { createHash } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { mapParallel } from '../adapters/files/map-parallel.ts';
import { DrError } from '../domain/errors.ts';
import type { FleetInput, FleetRunbook, NotTaken } from '../domain/fleet.ts';
import { lockId } from '../domain/messages.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Scenario } from '../domain/run.ts';
import { replicates } from '../domain/strategy.ts';
import { fleetTarget, standbyTarget } from '../runbooks/fleet.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import type { DeploymentShape, RecoverRequest } from '../runbooks/shape.ts';
import { workersNeeded } from '../runbooks/workers.ts';
import { takesOver } from './chain.ts';
import { deploymentOf, requireWorkers, type Door } from './client.ts';
import { toldByWorker } from './failures.ts';
import type { Ready } from './fleet-start.ts';
import { askForecast } from './forecast.ts';
import type { RunKind } from '../domain/run-id.ts';
import { runId } from './run-id.ts';
import { measureNow } from './measure.ts';
import { soon } from './run-record.ts';

/**
 * Before a fleet starts: whom it concerns, and what can be refused of each before the first effect. What is wrong with
 * one is said of that one, and keeps no other from its recovery.
 */

/** The one place that knows how a runbook of a fleet is compiled. */
const COMPILE: Readonly<
  Record<FleetRunbook, (shape: DeploymentShape, request: RecoverRequest) => RecoverPlan>
> = {
  recover: compilePlan,
  failover: (shape, { to, from, onFailure }) =>
    takesOver(shape, { ...{ to, mode: 'forced', onFailure }, ...(from === undefined ? {} : { from }) }),
};

export interface FleetRequest extends Pick<
  FleetInput,
  'site' | 'runbook' | 'actor' | 'reason' | 'declaredAt' | 'occurredAt' | 'detectedAt'
> {
  readonly to?: string;
  readonly scenario: Scenario;
  readonly snapshots: boolean;
  readonly toTime?: string;
  readonly onFailure: 'ask' | 'abort';
}

export interface Looked {
  readonly ready: Ready[];
  readonly notTaken: NotTaken[];
}

/** Each look is a few short workflows. */
const LOOKS_AT_A_TIME = 16;

export async function lookAtAll(
  door: Door,
  request: FleetRequest,
  names: readonly string[],
): Promise<Looked> {
  const away = new Map<string, DrError>();
  const runs = new Set<string>();
  const looked: Looked = { ready: [], notTaken: [] };
  await mapParallel(
    names,
    async (name) => {
      const found = await lookAt(door, request, name, away, runs);
      if ('asking' in found) looked.ready.push(found);
      else looked.notTaken.push(found);
    },
    LOOKS_AT_A_TIME,
  );
  looked.notTaken.sort((a, b) => (a.deployment < b.deployment ? -1 : 1));
  return looked;
}

async function lookAt(
  door: Door,
  request: FleetRequest,
  name: string,
  away: Map<string, DrError>,
  runs: Set<string>,
): Promise<Ready | NotTaken> {
  const shape = shapeOf(name, deploymentOf(door.config, name));
  const not = (kind: NotTaken['kind'], why: string): NotTaken => ({
    ...{ deployment: name, tier: shape.tier, kind, why },
  });
  const target = await targetOf(door, request, shape);
  if ('why' in target) return not(target.kind, target.why);
  const holder = await holderOf(door, name);
  if (holder && holder.type !== 'drill')
    return not('locked', `${lockId(name)} is held by ${holder.run}; it was not disturbed`);
  try {
    const plan = COMPILE[request.runbook](shape, requestFor(request, target.to));
    await requireKnown(door, name, plan, away);
    const found = ready(door, request, plan, await expected(door, plan), runs);
    return holder ? { ...found, afterDrill: holder.run } : found;
  } catch (error) {
    if (!(error instanceof DrError) || error.code === 'TEMPORAL_UNREACHABLE') throw error;
    return not('refused', error.message.split('\n')[0]!);
  }
}

function requestFor(
  { site, scenario, snapshots, occurredAt, toTime, onFailure }: FleetRequest,
  to: string,
): RecoverRequest {
  return {
    ...{ from: site, to, scenario, snapshots, onFailure, backup: 'latest', inPlace: false },
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(toTime === undefined ? {} : { toTime }),
  };
}

/** Where the deployment goes: to a site that is recovered on, or to its standby. */
async function targetOf(
  door: Door,
  { runbook, site, to }: FleetRequest,
  shape: DeploymentShape,
): Promise<{ readonly to: string } | { readonly kind: NotTaken['kind']; readonly why: string }> {
  if (runbook === 'recover' || !replicates(shape.strategy ?? 'backup-restore')) {
    const target = fleetTarget(shape, site, to);
    return 'why' in target ? { kind: 'left-out', ...target } : target;
  }
  const { monitor } = deploymentOf(door.config, shape.deployment);
  return standbyTarget(shape, site, to, monitor?.to, async (candidates) => {
    const figures = await measureNow(door, shape.deployment);
    return candidates.filter((candidate) =>
      figures.some((each) => each.site === candidate && each.replication?.follows === site),
    );
  });
}

/** What has the deployment's lock; undefined where nothing has. */
async function holderOf(
  door: Door,
  name: string,
): Promise<{ readonly run: string; readonly type: string } | undefined> {
  try {
    const { status, memo, type } = await soon(door, () =>
      door.client.workflow.getHandle(lockId(name)).describe(),
    );
    return status.name === 'RUNNING' ? { run: String(memo?.['run'] ?? type), type } : undefined;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** A worker that is away is waited for once, and not again for every deployment that it serves. */
async function requireKnown(
  door: Door,
  name: string,
  plan: RecoverPlan,
  away: Map<string, DrError>,
): Promise<void> {
  const digest = configDigest(deploymentOf(door.config, name));
  await Promise.all(
    workersNeeded(plan).map(async (worker) => {
      const known = away.get(worker);
      if (known) throw known;
      await requireWorkers(door, name, digest, [worker]).catch((error: unknown) => {
        if (error instanceof DrError && error.code === 'WORKER_MISSING') away.set(worker, error);
        throw error;
      });
    }),
  );
}

/** From its start to verified traffic; undefined where nobody can say. @throws DrError what the run would be refused for */
async function expected(door: Door, plan: RecoverPlan): Promise<number | undefined> {
  // Nothing is brought back from a set.
  if (plan.failover) return undefined;
  try {
    return (await askForecast(door, plan)).forecast.totalMs;
  } catch (error) {
    const told = toldByWorker(error);
    if (told?.code === 'NO_BACKUP') throw told;
    return undefined;
  }
}

function ready(
  door: Door,
  request: FleetRequest,
  plan: RecoverPlan,
  expectedMs: number | undefined,
  runs: Set<string>,
): Ready {
  const { deployment, tier, priority, objectives, to, workers } = plan;
  const { actor, reason, declaredAt, occurredAt, detectedAt } = request;
  const declared = deploymentOf(door.config, deployment);
  const run = newRunId(plan.failover ? 'fo' : 'rec', declaredAt, runs);
  return {
    input: {
      ...{ run, plan, planDigest: planDigest(plan), configDigest: configDigest(declared) },
      ...{ actor, reason, declaredAt },
      ...(occurredAt === undefined ? {} : { occurredAt }),
      ...(detectedAt === undefined ? {} : { detectedAt }),
    },
    asking: {
      ...{ deployment, run, tier, priority, to, rtoMs: objectives.rtoMs, rpoMs: objectives.rpoMs },
      basisAt: occurredAt ?? detectedAt ?? declaredAt,
      workers: workers.target,
      repository: createHash('sha256').update(declared.backup.repository).digest('hex').slice(0, 8),
      ...(expectedMs === undefined ? {} : { expectedMs }),
    },
  };
}

/** Four digits tell two of a second apart; of a thousand, some would be the same. */
function newRunId(kind: RunKind, at: string, taken: Set<string>): string {
  let id = runId(kind, at);
  while (taken.has(id)) id = runId(kind, at);
  taken.add(id);
  return id;
}
