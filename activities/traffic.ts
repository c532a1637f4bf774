import { saveStates, serverStates, setServerState, type ServerState } from '../adapters/haproxy/runtime.ts';
import type { TrafficConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { awaitUntil } from './await-until.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { notMeasured, requireProofs } from './proofs.ts';
import { runProbe } from './probes.ts';

/** The clients' address: switched only after every proof, and proven from outside afterwards. */

/** A server counts as up after HAProxy's own health checks; those take seconds at the usual settings. */
const UP_TIMEOUT_MS = 30_000;

export function createTrafficActivities(deps: Deps) {
  return {
    'hold-traffic': guarded(deps, 'mutate', holdTraffic),
    'switch-traffic': guarded(deps, 'mutate', switchTraffic),
    'prove-traffic': guarded(deps, 'probe', proveTraffic),
  };
}

/** The site that is rebuilt in place gets no request until it is proven. */
async function holdTraffic({ deployment, input }: Call): Promise<StepResult> {
  const { socket, backend, servers } = trafficOf(deployment.traffic);
  const own = new Set(servers[input.plan.to] ?? []);
  const ready = (await serverStates(socket, backend)).filter(
    ({ name, maintenance }) => own.has(name) && !maintenance,
  );
  for (const { name } of ready) await setServerState(socket, backend, name, 'maint');
  const names = ready.map(({ name }) => name).join(', ');
  return {
    summary: names === '' ? `${input.plan.to} had no traffic` : `${names} taken out until the proofs`,
    observed: names === '',
  };
}

async function switchTraffic({ deployment, input, signal }: Call): Promise<StepResult> {
  const traffic = trafficOf(deployment.traffic);
  const { socket, backend } = traffic;
  const states = await serverStates(socket, backend);
  const wanted = new Set(serversOf(traffic, input.plan.to, states));
  const wrong = states.filter((server) => server.maintenance === wanted.has(server.name));
  // First in, then out: with both in for a moment no request finds an empty backend; the source is fenced.
  for (const server of wrong.filter(({ name }) => wanted.has(name)))
    await setServerState(socket, backend, server.name, 'ready');
  for (const server of wrong.filter(({ name }) => !wanted.has(name)))
    await setServerState(socket, backend, server.name, 'maint');
  const up = await awaitUntil(async () => ((await allUp(traffic, wanted)) ? true : undefined), {
    timeoutMs: UP_TIMEOUT_MS,
    signal,
    late: () =>
      new DrError('TRAFFIC_FAILED', { backend, reason: 'did not bring the servers of the target up' }),
  });
  if (traffic.stateFile !== undefined) await saveStates(socket, traffic.stateFile);
  const names = [...wanted].join(', ');
  return {
    summary: wrong.length === 0 ? `${names} already served` : `${names} serve, every other server is out`,
    observed: wrong.length === 0 && up,
  };
}

/** @throws DrError TRAFFIC_FAILED where the site has none, or the load balancer does not know one of them. */
export function serversOf(
  { backend, servers }: TrafficConfig,
  site: string,
  states: readonly ServerState[],
): readonly string[] {
  const wanted = servers[site] ?? [];
  if (wanted.length === 0)
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `has no servers declared for ${site}` });
  const unknown = wanted.filter((name) => !states.some((server) => server.name === name));
  if (unknown.length > 0)
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `has no server ${unknown.join(', ')}` });
  return wanted;
}

async function allUp({ socket, backend }: TrafficConfig, wanted: ReadonlySet<string>): Promise<boolean> {
  const states = await serverStates(socket, backend);
  return states.every((server) =>
    wanted.has(server.name) ? server.up && !server.maintenance : server.maintenance,
  );
}

async function proveTraffic(call: Call): Promise<StepResult> {
  const traffic = trafficOf(call.deployment.traffic);
  const probes = call.deployment.probes.filter((probe) =>
    ['api', 'known-key', 'wrong-key'].includes(probe.proves),
  );
  const proofs = await Promise.all(probes.map((probe) => runProbe(call, traffic.url, probe)));
  requireProofs(proofs);
  if (proofs.length === 0)
    return { summary: 'no probe is configured', proofs: [notMeasured('outside address', 'no probes')] };
  return { summary: `${proofs.length} probes answer at ${traffic.url} as they must`, proofs };
}

function trafficOf(traffic: TrafficConfig | undefined): TrafficConfig {
  if (!traffic) throw new Error('the plan switches traffic that the configuration does not have');
  return traffic;
}
