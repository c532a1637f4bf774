import { lowerFence, raiseFence, readFence } from '../adapters/host/fence.ts';
import { somebodyListens } from '../adapters/host/ports.ts';
import { removeStandbyMark } from '../adapters/host/standby-mark.ts';
import { removeTakeoverMark } from '../adapters/host/takeover-mark.ts';
import { run } from '../adapters/process/run.ts';
import { forgetMaster } from '../adapters/redis/replica.ts';
import { serviceState, startService, stopService } from '../adapters/service/service.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StopTargetResult } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { serves, servicesOf, type SiteService } from './site.ts';
import { stopServices } from './stop-services.ts';
import { holdSentinels, letSentinelsAct, STILL_HELD } from './watched-redis.ts';

/** Two sites must never both write. The marker comes first: what is stopped while it is missing could start again. */

export function createFenceActivities(deps: Deps) {
  return {
    'fence-source': guarded(deps, 'mutate', fenceSource),
    'return-source': guarded(deps, 'release', returnSource),
    'claim-target': guarded(deps, 'mutate', claimTarget),
    'stop-target': guarded(deps, 'release', stopTarget),
    'look-at-target': guarded(deps, 'probe', lookAtTarget),
  };
}

async function fenceSource(call: Call): Promise<StepResult> {
  const { source, input, signal } = call;
  const site = input.plan.from;
  const by = `run ${input.run}`;
  const before = await readFence(source.stateDir);
  await raiseFence(source.stateDir, by);
  const evidence: string[] = [];
  // Once for the whole site, however many of its hosts have a worker.
  if (source.fence.command && call.worker === source.worker) {
    await run(source.fence.command, {
      env: { TYK_DR_SITE: site, TYK_DR_RUN: input.run },
      signal,
      timeoutMs: 120_000,
    }).catch((error: unknown) => {
      throw notFenced(site, `the fence command failed: ${String(error)}`, error);
    });
    evidence.push('isolated by the configured command');
  }
  const left: string[] = [];
  const stop = (service: SiteService): Promise<unknown> =>
    stopService(service, signal).catch((error: unknown) => {
      // Isolated by a command, what does not stop writes to nobody; it is told all the same.
      if (source.fence.command === undefined)
        throw notFenced(
          site,
          `${service.name} did not stop: ${error instanceof Error ? error.message : String(error)}`,
          error,
        );
      left.push(service.name);
    });
  const services = servicesOf(site, source, { worker: call.worker }).reverse();
  // What reaches clients is stopped with the stores, except where they are served from there until the traffic is switched.
  if (input.plan.failover?.mode !== 'graceful')
    await settled(services.filter((each) => !isStore(each)).map(stop));
  await settled(services.filter(isStore).map(stop));
  if (source.fence.command === undefined) await requireSilence(call.worker, source, site);
  evidence.push(
    left.length === 0
      ? stoppedText(input.plan.failover?.mode)
      : `isolated, but still running: ${left.join(', ')}`,
  );
  evidence.push('start commands are told to refuse (marker raised)');
  if (source.database && !source.database.service && serves(call.worker, source, source.database))
    evidence.push('its managed database runs on: only what is ours is kept from writing to it');
  return { summary: `${site}: ${evidence.join('; ')}`, observed: before === by };
}

/**
 * A graceful failover is given up before anybody was served from the standby: the stores of the source start again, with
 * all that was ever acknowledged. What serves clients there was not stopped.
 *
 * @throws DrError FENCE_STAYS
 */
async function returnSource({ worker, source, input, signal }: Call): Promise<StepResult> {
  const site = input.plan.from;
  const by = await readFence(source.stateDir);
  if (by !== undefined && by !== `run ${input.run}`)
    throw new DrError('FENCE_STAYS', { site, reason: `it is that of ${by}` });
  if (source.fence.command)
    throw new DrError('FENCE_STAYS', { site, reason: 'its fence command may have isolated it' });
  await lowerFence(source.stateDir);
  const started: string[] = [];
  for (const service of servicesOf(site, source, { worker }))
    if (isStore(service) && (await startService(service, signal))) started.push(service.name);
  return { summary: `${site}: fence lifted${started.length > 0 ? `, started ${started.join(', ')}` : ''}` };
}

/** Waits for all before it throws the first failure: none is stopped behind anybody's back. */
async function settled(all: readonly Promise<unknown>[]): Promise<void> {
  for (const each of await Promise.allSettled(all)) if (each.status === 'rejected') throw each.reason;
}

const isStore = ({ component }: SiteService): boolean => component === 'redis' || component === 'database';

const stoppedText = (mode: string | undefined): string =>
  mode === 'graceful' ? 'stores stopped' : 'services stopped';

/** A stopped service may have left a process that still listens. */
async function requireSilence(worker: string, source: Site, site: string): Promise<void> {
  for (const [name, store] of [
    ['redis', source.redis],
    ['database', source.database],
  ] as const) {
    // A managed store cannot be stopped from here: what writes to it is.
    if (store?.service && serves(worker, source, store) && (await somebodyListens(store.host, store.port))) {
      throw notFenced(site, `${name} still listens on ${store.host}:${store.port}`);
    }
  }
}

function notFenced(site: string, reason: string, cause?: unknown): DrError {
  return new DrError('NOT_FENCED', { site, reason }, { cause });
}

/** The lease itself was taken on entry (see guard.ts). A fence from an earlier failover is lifted: this site is to live. */
async function claimTarget(call: Call): Promise<StepResult> {
  const { target, input, signal } = call;
  const site = input.plan.to;
  const held = await holdSentinels(call);
  const stopped = await stopServices(concerned(call).reverse(), signal);
  const fence = await readFence(target.stateDir);
  if (fence !== undefined) await lowerFence(target.stateDir);
  const wasStandby = input.plan.component === undefined && (await noLongerFollows(call));
  const parts = [
    `epoch ${input.epoch}`,
    stopped.length > 0 ? `stopped ${stopped.join(', ')}` : 'nothing ran',
    ...(fence === undefined ? [] : [`lifted the fence of ${fence}`]),
    ...(wasStandby ? ['it follows nobody any more'] : []),
    ...(held ? ['the Sentinels hold still until its Redis runs again'] : []),
  ];
  return { summary: `${site} is ours: ${parts.join('; ')}` };
}

/** What is restored there is its own master. @returns whether it was a standby */
async function noLongerFollows({ worker, target }: Call): Promise<boolean> {
  const { redis, stateDir } = target;
  if (redis?.configFile !== undefined && serves(worker, target, redis)) await forgetMaster(redis.configFile);
  await removeTakeoverMark(stateDir);
  return removeStandbyMark(stateDir);
}

/** Of a component that is started as it is, those of its services that live are left alone. */
function concerned({ worker, target, input }: Call): SiteService[] {
  const { to, component, asIs } = input.plan;
  const services = servicesOf(to, target, { component, worker });
  return asIs === undefined ? services : services.filter(({ name }) => asIs.includes(name));
}

async function stopTarget(call: Call): Promise<StopTargetResult> {
  const { signal } = call;
  const states: Record<string, string> = {};
  const services = concerned(call);
  for (const service of [...services].reverse()) {
    await stopService(service, signal);
    states[service.name] = await serviceState(service);
  }
  const left = await letSentinelsAct(call).catch((error: unknown) => [(error as Error).message]);
  if (left) states['Sentinels'] = left.length === 0 ? 'act again' : `${left.join(', ')} ${STILL_HELD}`;
  return { summary: `stopped ${services.map((service) => service.name).join(', ')}`, states };
}

/** The state of every service of this host, whatever of it can be found out. */
async function lookAtTarget({ worker, target, input }: Call): Promise<StopTargetResult> {
  const services = servicesOf(input.plan.to, target, { component: input.plan.component, worker });
  const states: Record<string, string> = {};
  for (const service of services)
    states[service.name] = await serviceState(service).catch(
      (error: unknown) => `unknown: ${error instanceof Error ? error.message : String(error)}`,
    );
  return { summary: `looked at ${services.map((service) => service.name).join(', ')}`, states };
}
