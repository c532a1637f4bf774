import { Context } from '@temporalio/activity';
import { nameProblem, tcpProblem } from '../adapters/host/ports.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Proof } from '../domain/run.ts';
import { addressOf, addressesOf, type Address } from '../domain/addresses.ts';
import type { Call } from './guard.ts';
import { proof } from './proofs.ts';
import { servicesOf } from './site.ts';

/** Names, routes and clocks, before anything is touched: each is a proof of its own and a refusal of its own. */

/** Expiries, certificates and the RTO clock itself are wrong where clocks differ by more. */
const CLOCK_LIMIT_MS = 5_000;

interface View extends Pick<Call, 'worker' | 'target' | 'deployment'> {
  readonly site: string;
  /** Of the clock, for a drill that must notice it. */
  readonly steppedMs?: number;
}

/** @throws DrError NETWORK_UNREADY, CLOCK_SKEW */
export async function networkProofs({
  worker,
  target,
  deployment,
  site,
  steppedMs = 0,
}: View): Promise<Proof[]> {
  const outside = deployment.traffic === undefined ? [] : [addressOf('traffic', deployment.traffic.url)];
  return [
    await names(site, [...addressesOf(target), ...outside, ...target.network.map(declared)]),
    ...(await routes(site, target, worker)),
    await reached(site, target),
    clock(site, steppedMs),
  ];
}

async function names(site: string, addresses: readonly Address[]): Promise<Proof> {
  const hosts = [...new Set(addresses.map(({ host }) => host))];
  await Promise.all(
    hosts.map(async (host) => {
      const problem = await nameProblem(host);
      if (problem !== undefined)
        throw new DrError('NETWORK_UNREADY', { from: site, to: host, reason: `DNS: ${problem}` });
    }),
  );
  return proof('DNS: every configured name resolves', true, hosts.length, hosts.length);
}

/** What each component of a site must reach of the others: Tyk's own dependencies. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  dashboard: ['redis', 'database'],
  gateway: ['redis', 'dashboard'],
  pump: ['redis', 'database'],
};

/** The other end may still be stopped: a refused connection has found its way there and back. */
const ARRIVED = ['ECONNREFUSED'];

async function routes(site: string, target: Site, worker: string): Promise<Proof[]> {
  const all = addressesOf(target);
  // Each route from the host on which it begins.
  const here = new Set<string>(servicesOf(site, target, { worker }).map(({ component }) => component));
  const pairs = Object.entries(NEEDS)
    .filter(([from]) => here.has(from))
    .flatMap(([from, to]) =>
      to.flatMap((kind) => all.filter((other) => other.component === kind).map((other) => ({ from, other }))),
    );
  return Promise.all(
    pairs.map(async ({ from, other }) => {
      const problem = await tcpProblem(other.host, other.port);
      const name = `route: ${from} to ${other.component} at ${other.host}:${other.port}`;
      if (problem !== undefined && !ARRIVED.includes(problem))
        throw new DrError('NETWORK_UNREADY', {
          from: `${from} of ${site}`,
          to: `${other.host}:${other.port}`,
          reason: problem,
        });
      return proof(
        name,
        true,
        'a way there and back',
        problem === undefined ? 'connected' : 'reached, nothing listens yet',
      );
    }),
  );
}

async function reached(site: string, { network }: Site): Promise<Proof> {
  for (const { host, port } of network) {
    const problem = await tcpProblem(host, port);
    if (problem !== undefined)
      throw new DrError('NETWORK_UNREADY', { from: site, to: `${host}:${port}`, reason: problem });
  }
  return proof('configured addresses are reached', true, network.length, network.length);
}

/** How long a task may have waited for this worker before it began: that is no fault of the clock. */
const QUEUE_LIMIT_MS = 10_000;

/** Against Temporal's server, which stamped the task a moment ago: the one clock that all workers see. */
function clock(site: string, steppedMs: number): Proof {
  const aheadMs = Date.now() + steppedMs - Context.current().info.currentAttemptScheduledTimestampMs;
  const skewMs = aheadMs < 0 ? -aheadMs : Math.max(0, aheadMs - QUEUE_LIMIT_MS);
  if (skewMs > CLOCK_LIMIT_MS)
    throw new DrError('CLOCK_SKEW', { host: site, skewMs, limitMs: CLOCK_LIMIT_MS });
  const found = `${aheadMs} ms, with the time in the queue`;
  return proof('clock skew against the Temporal server', true, `at most ${CLOCK_LIMIT_MS} ms`, found);
}

function declared({ host, port }: Site['network'][number]): Address {
  return { component: 'network', name: `${host}:${port}`, host, port };
}
