import { gatewayHello, loadedApis, loadedPolicies } from '../adapters/tyk/gateway.ts';
import { listApis, listPolicies } from '../adapters/tyk/dashboard.ts';
import { startService } from '../adapters/service/service.ts';
import type { GatewayConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { awaitUntil } from './await-until.ts';
import { definedInFiles } from './gateway-files.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { requireProofs, sameIds } from './proofs.ts';
import { gatewaysOn, servicesOf } from './site.ts';
import { whileRunning } from './while-running.ts';

/** The Gateways, and the Pump that empties their analytics. */

/** A Gateway says `pass` without details for its first ten seconds or so; then Redis and Dashboard must both pass. */
const READY_TIMEOUT_MS = 90_000;
/** After a restore the definitions arrive with the next reload. */
const LOADED_TIMEOUT_MS = 60_000;

export function createGatewayActivities(deps: Deps) {
  return {
    'start-gateways': guarded(deps, 'mutate', startGateways),
    'prove-gateways': guarded(deps, 'probe', proveGateways),
  };
}

/** All at once: the site has no traffic yet, and one after the other would only add up their first ten seconds. */
async function startGateways(call: Call): Promise<StepResult> {
  const { worker, target, input, signal } = call;
  const services = servicesOf(input.plan.to, target, { component: 'gateway', worker });
  const started = await Promise.all(services.map((service) => startService(service, signal)));
  await Promise.all(
    gatewaysOn(worker, target).map((gateway, index) =>
      whileRunning(services[index]!, signal, (either) => awaitReady({ ...call, signal: either }, gateway)),
    ),
  );
  const count = started.filter(Boolean).length;
  return {
    summary: `${count} started, ${started.length - count} ran already; all report ready`,
    observed: count === 0,
  };
}

async function awaitReady({ target, input, signal }: Call, gateway: GatewayConfig): Promise<void> {
  const needed = ['redis', ...(target.dashboard ? ['dashboard'] : [])];
  let last = 'no answer';
  await awaitUntil(
    async () => {
      const hello = await gatewayHello(gateway.url);
      if (!hello) return undefined;
      last = needed.map((part) => `${part} ${hello.details[part] ?? 'not reported yet'}`).join(', ');
      return needed.every((part) => hello.details[part] === 'pass') ? true : undefined;
    },
    {
      timeoutMs: READY_TIMEOUT_MS,
      everyMs: 150,
      signal,
      late: () =>
        new DrError('SERVICE_FAILED', {
          service: `gateway ${gateway.name}`,
          site: input.plan.to,
          action: `report ${needed.join(' and ')} as pass in /hello`,
          reason: last,
        }),
    },
  );
}

async function proveGateways(call: Call): Promise<StepResult> {
  const expected = await published(call);
  const secret = await call.secret(call.deployment.secrets.gateway);
  const proofs = await Promise.all(
    gatewaysOn(call.worker, call.target).map((gateway) =>
      awaitLoaded(call, gateway, expected, () => loaded(gateway, secret)),
    ),
  );
  requireProofs(proofs.flat());
  return {
    summary: `${expected.apis.length} active APIs on each of ${proofs.length} Gateways`,
    proofs: proofs.flat(),
  };
}

interface Definitions {
  readonly apis: readonly string[];
  readonly policies: readonly string[];
}

/** What a Gateway must have loaded: what the Dashboard publishes or, without one, what its files define. */
async function published(call: Call): Promise<Definitions> {
  const { dashboard } = call.target;
  if (!dashboard) return definedInFiles(gatewaysOn(call.worker, call.target)[0]!);
  const key = await call.secret(dashboard.accessKey);
  const [apis, policies] = await Promise.all([
    listApis(dashboard.url, key),
    listPolicies(dashboard.url, key),
  ]);
  return {
    apis: apis
      .filter((api) => api.active)
      .map((api) => api.apiId)
      .sort(),
    policies,
  };
}

async function loaded(
  gateway: GatewayConfig,
  secret: Parameters<typeof loadedApis>[1],
): Promise<Definitions> {
  const [apis, policies] = await Promise.all([
    loadedApis(gateway.url, secret),
    loadedPolicies(gateway.url, secret),
  ]);
  return { apis, policies };
}

async function awaitLoaded(
  { signal }: Call,
  gateway: GatewayConfig,
  expected: Definitions,
  look: () => Promise<Definitions>,
): Promise<Proof[]> {
  let proofs: Proof[] = [];
  const compare = async (): Promise<true | undefined> => {
    const found = await look();
    proofs = [
      // A Gateway may serve several organisations: what this one publishes must all be there.
      sameIds(
        `${gateway.name}: loaded APIs`,
        expected.apis,
        found.apis.filter((id) => expected.apis.includes(id)),
      ),
      sameIds(
        `${gateway.name}: loaded policies`,
        expected.policies,
        found.policies.filter((id) => expected.policies.includes(id)),
      ),
    ];
    return proofs.every((candidate) => candidate.verdict === 'pass') ? true : undefined;
  };
  // When the time is up the last comparison is the answer: it says what is missing.
  await awaitUntil(compare, {
    timeoutMs: LOADED_TIMEOUT_MS,
    everyMs: 300,
    signal,
    late: () => new Late(),
  }).catch((error: unknown) => {
    if (!(error instanceof Late)) throw error;
  });
  return proofs;
}

class Late extends Error {}
