import { connect as tlsConnect } from 'node:tls';
import { nameProblem, tcpProblem } from '../adapters/host/ports.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { activeApis } from './published.ts';
import { proof } from './proofs.ts';

/** The upstreams of the active APIs: a Gateway that cannot reach them serves errors with good health. */

export function createUpstreamActivities(deps: Deps) {
  return { 'check-upstreams': guarded(deps, 'probe', checkUpstreams) };
}

async function checkUpstreams(call: Call): Promise<StepResult> {
  const apis = await activeApis(call);
  const problems = new Map<string, string | undefined>();
  for (const origin of new Set(apis.map((api) => originOf(api.targetUrl))))
    problems.set(origin, await upstreamProblem(origin));
  const unreachable = apis.filter((api) => problems.get(originOf(api.targetUrl)) !== undefined);
  const percent = apis.length === 0 ? 0 : (100 * unreachable.length) / apis.length;
  const allowed = call.deployment.upstreams.unreachablePercent;
  const named = [...problems]
    .filter(([, problem]) => problem !== undefined)
    .map(([origin, problem]) => `${origin} (${problem})`);
  if (percent > allowed) {
    throw new DrError('NETWORK_UNREADY', {
      from: call.input.plan.to,
      to: `the upstreams of ${unreachable.length} of ${apis.length} active APIs`,
      reason: named.slice(0, 5).join(', '),
    });
  }
  const summary = `${problems.size - named.length} of ${problems.size} upstreams reached`;
  return {
    summary: named.length > 0 ? `${summary}; unreachable: ${named.slice(0, 5).join(', ')}` : summary,
    proofs: [
      proof(
        'active APIs with an unreachable upstream',
        true,
        `at most ${allowed} %`,
        `${percent.toFixed(1)} %`,
      ),
    ],
  };
}

async function upstreamProblem(origin: string): Promise<string | undefined> {
  if (!URL.canParse(origin)) return 'no address';
  const url = new URL(origin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return (
    (await nameProblem(host)) ??
    (await tcpProblem(host, port)) ??
    (url.protocol === 'https:' ? tlsProblem(host, port) : undefined)
  );
}

/** A certificate that no client would accept is as bad as a closed port. */
function tlsProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ host, port, servername: host, timeout: 3_000 });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.on('secureConnect', () => end(undefined));
    socket.on('timeout', () => end('no TLS handshake in time'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

function originOf(target: string): string {
  return URL.canParse(target) ? new URL(target).origin : target;
}
