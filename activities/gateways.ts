import { gatewayHello, loadedApis, loadedPolicies, reload } from '../adapters/tyk/gateway.ts';
import { startService } from '../adapters/service/service.ts';
import type { GatewayConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { awaitUntil } from './await-until.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { requireProofs, sameIds } from './proofs.ts';
import { activeApis, publishedTo } from './published.ts';
import { gatewaysOn, servicesOf } from './site.ts';
import { whileRunning } from './while-running.ts';

/** The Gateways, and the Pump that empties their analytics. */

/** A Gateway says `pass` without details for its first ten seconds or so; then Redis and Dashboard must both pass. */
const READY_TIMEOUT_MS = 90_000;
/** After a restore the definitions arrive with the next reload. */
const LOADED_TIMEOUT_MS = 60_000;
/** Longer than the first load of a Gateway that has just started. */
const RELOAD_AFTER_MS = 2_000;

export function createGatewayActivities(deps: Deps) {
  return {
    'start-gateways': guarded(deps, 'mutate', startGateways),
    'prove-gateways': guarded(deps, 'probe', proveGateways),
  };
}

/** All at once: the site has no traffic yet, and one after the other would only add up their first ten seconds. */
async function startGateways(call: Call): Promise<StepResult> {
  const { worker, target, input, signal } = call;
  // A warm standby runs on fewer.
  const first = target.gateways.slice(0, input.plan.replicate?.gateways);
  const gateways = gatewaysOn(worker, target).filter((gateway) => first.includes(gateway));
  const services = servicesOf(input.plan.to, target, { component: 'gateway', worker }).filter(({ name }) =>
    gateways.some((gateway) => name === `gateway ${gateway.name}`),
  );
  const started = await Promise.all(services.map((service) => startService(service, signal)));
  await Promise.all(
    gateways.map((gateway, index) =>
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
  const gateways = gatewaysOn(call.worker, call.target);
  const proofs = await Promise.all(gateways.map((gateway) => awaitLoaded(call, gateway)));
  requireProofs(proofs.flat());
  const active = await activeApis(call);
  return {
    summary: `${active.length} active APIs on ${gateways.length === 1 ? 'one Gateway' : `each of ${gateways.length} Gateways`}`,
    proofs: proofs.flat(),
  };
}

async function awaitLoaded(call: Call, gateway: GatewayConfig): Promise<Proof[]> {
  const secret = await call.secret(call.deployment.secrets.gateway);
  // Through a Dashboard a Gateway may serve several organisations: of this one, exactly what it publishes.
  const organisation = call.target.dashboard ? call.deployment.organisation : undefined;
  let proofs: Proof[] = [];
  let noAnswer: DrError | undefined;
  let askedAt = performance.now();
  const compare = async (): Promise<true | undefined> => {
    noAnswer = undefined;
    const [expected, apis, policies] = await Promise.all([
      publishedTo(call, gateway),
      loadedApis(gateway.url, secret, organisation),
      loadedPolicies(gateway.url, secret, organisation),
    ]);
    proofs = [
      sameIds(`${gateway.name}: loaded APIs`, expected.apis, apis),
      sameIds(`${gateway.name}: loaded policies`, expected.policies, policies),
    ];
    if (proofs.every((candidate) => candidate.verdict === 'pass')) return true;
    // A Gateway that ran on beside a database that went back in time still has what was there before.
    if (performance.now() - askedAt > RELOAD_AFTER_MS) {
      await reload(gateway.url, secret);
      askedAt = performance.now();
    }
    return undefined;
  };
  // A Dashboard or a Gateway that has lost its stores for a moment is asked again.
  const compareWhenAnswered = (): Promise<true | undefined> =>
    compare().catch((error: unknown) => {
      if (!(error instanceof DrError) || error.code !== 'PROOF_FAILED') throw error;
      noAnswer = error;
      return undefined;
    });
  // When the time is up the last comparison is the answer: it says what is missing.
  await awaitUntil(compareWhenAnswered, {
    timeoutMs: LOADED_TIMEOUT_MS,
    everyMs: 300,
    signal: call.signal,
    late: () => new Late(),
  }).catch((error: unknown) => {
    if (!(error instanceof Late)) throw error;
    if (noAnswer) throw noAnswer;
  });
  return proofs;
}

class Late extends Error {}
