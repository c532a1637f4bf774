import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { DrError } from '../domain/errors.ts';
import { knownSite } from '../domain/known-site.ts';
import { fingerprint, type LiveAnswer, type ObserveInput, type View } from '../domain/monitor.ts';
import { sameHost } from '../domain/same-host.ts';
import { lockHolder } from '../adapters/temporal/lock.ts';
import type { Deps } from './guard.ts';
import { liveState } from './live.ts';
import { probeOutside, probeParts, reachesReference, type Watching } from './monitor-probes.ts';
import { servicesOf } from './site.ts';
import { asActivity } from './to-failure.ts';

/**
 * The eyes of the monitor. One call looks again and again, and answers only when it sees something else than the
 * monitor knows, or after minutes: so the history of the monitor grows with what happens and not with time, and what
 * happens is known within one look. That the observer lives is told by its heartbeats, which leave no history.
 */

const HEARTBEAT_EVERY_MS = 1_000;
/** A probe that takes longer has not been answered. */
const LONGEST_PROBE_MS = 3_000;
const LOCK_LIMIT_MS = 2_000;

export function createObserveActivities(deps: Deps) {
  return {
    'observe-site': (input: ObserveInput): Promise<View> => asActivity(() => observe(deps, input)),
    'look-at-live': (deployment: string): Promise<LiveAnswer[]> =>
      asActivity(() => lookAtLive(deps, deployment)),
  };
}

async function observe(deps: Deps, input: ObserveInput): Promise<View> {
  const context = Context.current();
  const { deployment: name, site, intervalMs, forMs, known } = input;
  const deployment = deps.deployment(name);
  const watching: Watching = {
    ...{ deployment, siteName: site, site: knownSite(name, deployment.sites, site) },
    deps: { worker: deps.worker, secret: readOnce(deps) },
    limitMs: Math.min(LONGEST_PROBE_MS, intervalMs),
  };
  let looks = 0;
  const beat = setInterval(() => context.heartbeat(`${looks} looks at ${site}`), HEARTBEAT_EVERY_MS);
  const signal = deps.leaving
    ? AbortSignal.any([context.cancellationSignal, deps.leaving])
    : context.cancellationSignal;
  try {
    for (const until = performance.now() + forMs; ;) {
      // What is known was seen a moment ago.
      if (known !== undefined && forMs > 0) await sleep(intervalMs, undefined, { signal });
      const view = await look(watching, name);
      looks += 1;
      if (known !== fingerprint(view) || performance.now() >= until) return view;
    }
  } catch (error) {
    if (deps.leaving?.aborted || context.cancellationDetails?.workerShutdown)
      throw new DrError('WORKER_STOPPED', { worker: deps.worker, step: 'observe-site' }, { cause: error });
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/** Some secrets are read by a command of their owner's: not every few seconds, for years. */
function readOnce(deps: Deps): Deps['secret'] {
  const read = new Map<string, ReturnType<Deps['secret']>>();
  return (reference) => {
    const secret = read.get(reference) ?? deps.secret(reference);
    read.set(reference, secret);
    return secret;
  };
}

async function look(watching: Watching, name: string): Promise<View> {
  const at = new Date().toISOString();
  const [outside, parts, reference, lock] = await Promise.all([
    probeOutside(watching),
    probeParts(watching),
    reachesReference(watching),
    lockHolder(Context.current().client, name, LOCK_LIMIT_MS),
  ]);
  // What runs on its own host proves nothing about its way out; nor does an address that means this host.
  const beyond = parts.some(({ own, seen }) => !own && (seen === 'up' || seen === 'ailing'));
  const reached = outside.seen === 'up' && !isHere(watching.deployment.traffic?.url);
  return {
    ...{ observer: watching.deps.worker, at, outside, parts },
    sighted: reference || beyond || reached,
    ...(lock === undefined ? {} : { lock }),
  };
}

const isHere = (url: string | undefined): boolean =>
  url !== undefined && sameHost(new URL(url).hostname) === 'this host';

/** Every site of which this worker serves something. */
async function lookAtLive(deps: Deps, name: string): Promise<LiveAnswer[]> {
  const { sites } = deps.deployment(name);
  const own = Object.entries(sites).filter(
    ([site, config]) => servicesOf(site, config, { worker: deps.worker }).length > 0,
  );
  return Promise.all(
    own.map(async ([site, config]) => {
      const { live, summary, fencedBy, standbyOf } = await liveState(deps.worker, site, config);
      return { site, live, summary, fenced: fencedBy !== undefined || standbyOf !== undefined };
    }),
  );
}
