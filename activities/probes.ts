import { call as http } from '../adapters/tyk/http.ts';
import type { ProbeConfig } from '../domain/config.ts';
import type { Proof } from '../domain/run.ts';
import type { Call } from './guard.ts';

/** One configured client request and whether it answered as it must. */
export async function runProbe(
  call: Pick<Call, 'secret' | 'deployment'>,
  baseUrl: string,
  probe: ProbeConfig,
): Promise<Proof> {
  const key = probe.key === undefined ? undefined : await call.secret(probe.key);
  const answer = await http(new URL(probe.path, baseUrl).href, {
    method: probe.method,
    headers: key === undefined ? {} : { Authorization: key.reveal() },
  });
  const { status, bodyContains } = probe.expect;
  const bodyRight = bodyContains === undefined || answer.body.includes(bodyContains);
  // A client that must be turned away may be told 401 or 403: Tyk uses both, by version and kind of key.
  const refusals = [401, 403];
  const statusRight =
    answer.status === status ||
    (['wrong-key', 'expired-key'].includes(probe.proves) &&
      refusals.includes(status) &&
      refusals.includes(answer.status));
  return {
    name: `${probe.name}: ${probe.method} ${probe.path}`,
    verdict: statusRight && bodyRight ? 'pass' : 'fail',
    expected: bodyContains === undefined ? String(status) : `${status} with '${bodyContains}'`,
    actual:
      answer.status === 0
        ? (answer.error ?? 'no answer')
        : `${answer.status}${bodyRight ? '' : ' without it'}`,
    tier: probe.tier ?? call.deployment.tier,
  };
}
