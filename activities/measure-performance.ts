import { sendLoad, type LoadAnswer, type LoadRequest } from '../adapters/tyk/load.ts';
import type { ProbeConfig } from '../domain/config.ts';
import { loadProbes } from '../domain/load-probes.ts';
import type { MeasurePerformanceResult } from '../domain/plan.ts';
import { figuresOf, figuresText, sloResults, type Sample } from '../domain/service-level.ts';
import { isOutage } from '../domain/witness.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { answersAsExpected } from './probes.ts';
import { notMeasured, proof } from './proofs.ts';

/** How well clients are served after a recovery. It measures; it never fails a recovery that serves. */

export function createMeasurePerformanceActivities(deps: Deps) {
  return { 'measure-performance': guarded(deps, 'probe', measurePerformance) };
}

interface ProbeRequest extends LoadRequest {
  readonly probe: ProbeConfig;
}

async function measurePerformance(call: Call): Promise<MeasurePerformanceResult> {
  const { deployment, signal } = call;
  const { load, slos } = deployment;
  const requests = await requestsOf(call);
  if (requests.length === 0) {
    const why = 'no probe may be sent as a load: configure one that proves api, or load.probes';
    return { summary: why, proofs: [notMeasured('performance', why)] };
  }
  const { duration: durationMs, timeout: timeoutMs, requestsPerSecond, concurrency } = load;
  call.progress(`${requestsPerSecond} requests a second for ${durationMs / 1000} s`);
  const fromMs = Date.now();
  const answers = await sendLoad(requests, { durationMs, timeoutMs, requestsPerSecond, concurrency }, signal);
  const figures = figuresOf(answers.map(sampleOf), fromMs, Math.max(Date.now(), fromMs + durationMs))!;
  const against = sloResults(figures, slos);
  return {
    summary: `${figuresText(figures)}${wrongAnswers(answers)}`,
    proofs:
      against.length === 0
        ? [notMeasured('performance against SLOs', 'none is stated: slos of the deployment')]
        : against.map(({ name, met, expected, actual }) =>
            proof(`${name} under load`, met, expected, actual),
          ),
    figures,
  };
}

/** Through the clients’ address; where that does not lead to this run’s target for sure, to its Gateways in turn. */
async function requestsOf(call: Call): Promise<ProbeRequest[]> {
  const probes = loadProbes(call.deployment);
  const bases = basesOf(call);
  const perProbe = await Promise.all(
    probes.map(async (probe) => {
      const key = probe.key === undefined ? undefined : await call.secret(probe.key);
      return bases.map((base) => ({
        ...{ probe, url: new URL(probe.path, base).href, method: probe.method },
        headers: key === undefined ? {} : { Authorization: key.reveal() },
      }));
    }),
  );
  return perProbe.flat();
}

function basesOf({ deployment, input, target }: Call): string[] {
  const { steps, drill } = input.plan;
  const throughTraffic = drill === undefined && steps.includes('prove-traffic') && deployment.traffic;
  return throughTraffic ? [throughTraffic.url] : target.gateways.map(({ url }) => url);
}

function sampleOf({ request, status, body, ms }: LoadAnswer<ProbeRequest>): Sample {
  return {
    ms,
    available: !isOutage(status),
    right: answersAsExpected(request.probe, { status, body }),
  };
}

/** `; 12 answered 429`: a load that used a rate limit up says so. */
function wrongAnswers(answers: readonly LoadAnswer<ProbeRequest>[]): string {
  const counts = new Map<number, number>();
  for (const { request, status, body } of answers)
    if (!answersAsExpected(request.probe, { status, body }))
      counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts]
    .map(([status, count]) => `; ${count} ${status === 0 ? 'without an answer' : `answered ${status}`}`)
    .join('');
}
