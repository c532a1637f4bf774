import { call as http, type Answer, type Call as HttpCall } from '../adapters/tyk/http.ts';
import type { ProbeConfig } from '../domain/config.ts';
import type { Proof } from '../domain/run.ts';
import type { Call } from './guard.ts';

/**
 * One configured client request and whether it answered as it must.
 *
 * @param door the host to connect to, where it is not that of the URL
 */
export async function runProbe(
  call: Pick<Call, 'secret' | 'deployment'>,
  baseUrl: string,
  probe: ProbeConfig,
  door?: string,
): Promise<Proof> {
  const answer = await sendProbe(call, baseUrl, probe, door === undefined ? {} : { door });
  const { status, bodyContains } = probe.expect;
  const bodyRight = bodyContains === undefined || answer.body.includes(bodyContains);
  return {
    name: `${probe.name}: ${probe.method} ${probe.path}`,
    verdict: answersAsExpected(probe, answer) ? 'pass' : 'fail',
    expected: bodyContains === undefined ? String(status) : `${status} with '${bodyContains}'`,
    actual:
      answer.status === 0
        ? (answer.error ?? 'no answer')
        : `${answer.status}${bodyRight ? '' : ' without it'}`,
    tier: probe.tier ?? call.deployment.tier,
  };
}

export async function sendProbe(
  { secret }: Pick<Call, 'secret'>,
  baseUrl: string,
  probe: ProbeConfig,
  { door, ...limits }: Pick<HttpCall, 'timeoutMs' | 'wholeMs' | 'door'> = {},
): Promise<Answer> {
  const key = probe.key === undefined ? undefined : await secret(probe.key);
  return http(new URL(probe.path, baseUrl).href, {
    ...limits,
    method: probe.method,
    headers: key === undefined ? {} : { Authorization: key.reveal() },
    ...(door === undefined ? {} : { door }),
  });
}

/** A client that must be turned away may be told 401 or 403: Tyk uses both, by version and kind of key. */
const REFUSALS = [401, 403];
const REFUSED_KINDS: readonly ProbeConfig['proves'][] = ['wrong-key', 'expired-key', 'revoked-key'];

export const isRefusal = (status: number): boolean => REFUSALS.includes(status);

export function answersAsExpected(
  { expect, proves }: ProbeConfig,
  answer: Pick<Answer, 'status' | 'body'>,
): boolean {
  const { status, bodyContains } = expect;
  const bodyRight = bodyContains === undefined || answer.body.includes(bodyContains);
  const statusRight =
    answer.status === status ||
    (REFUSED_KINDS.includes(proves) && isRefusal(status) && isRefusal(answer.status));
  return statusRight && bodyRight;
}
