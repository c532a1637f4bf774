import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';
import { call, json, type Answer, type Call } from './http.ts';

/** What a recovery asks of a Dashboard. Its `/hello` is liveness only: the lists are what proves its database. */

export interface ApiListing {
  /** The id under which the Dashboard's own API knows it. */
  readonly dbId: string;
  readonly apiId: string;
  readonly name: string;
  readonly organisation: string;
  readonly active: boolean;
  readonly listenPath: string;
  readonly targetUrl: string;
  readonly keyless: boolean;
  /** How clients authenticate: `keyless`, `key`, `jwt`, `oauth`, `mtls`, `other`. */
  readonly auth: string;
  readonly oas: boolean;
  readonly tags: readonly string[];
}

export async function dashboardAlive(
  url: string,
  limits: Pick<Call, 'timeoutMs' | 'wholeMs'> = {},
): Promise<boolean> {
  const answer = await call(new URL('/hello', url).href, limits);
  const body = json(answer);
  return answer.status === 200 && isRecord(body) && body['status'] === 'ok';
}

/** Every API of the organisation that the key belongs to. */
export async function listApis(url: string, key: Secret): Promise<ApiListing[]> {
  const answer = await dashboardCall(url, '/api/apis?p=-1', key);
  const body = json(answer);
  const apis = isRecord(body) ? body['apis'] : undefined;
  if (answer.status !== 200 || !Array.isArray(apis)) throw unexpected('/api/apis', answer);
  return apis
    .filter(isRecord)
    .map((entry) => toListing(isRecord(entry['api_definition']) ? entry['api_definition'] : entry));
}

/** Ids of every policy, sorted. */
export async function listPolicies(url: string, key: Secret): Promise<string[]> {
  const answer = await dashboardCall(url, '/api/portal/policies?p=-1', key);
  const body = json(answer);
  const policies = isRecord(body) ? body['Data'] : undefined;
  if (answer.status !== 200 || !Array.isArray(policies)) throw unexpected('/api/portal/policies', answer);
  return policies
    .filter(isRecord)
    .map((policy) => String(policy['id'] || policy['_id'] || ''))
    .sort();
}

export async function statusWithKey(url: string, key: string): Promise<number> {
  return (await call(new URL('/api/apis?p=1', url).href, { headers: { Authorization: key } })).status;
}

/** One API as the Dashboard stores it, for an edit that is put back. */
export async function readApi(url: string, key: Secret, id: string): Promise<Record<string, unknown>> {
  const answer = await dashboardCall(url, `/api/apis/${encodeURIComponent(id)}`, key);
  const body = json(answer);
  if (answer.status !== 200 || !isRecord(body)) throw unexpected(`/api/apis/${id}`, answer);
  return body;
}

export async function writeApi(url: string, key: Secret, id: string, document: unknown): Promise<void> {
  const answer = await call(new URL(`/api/apis/${encodeURIComponent(id)}`, url).href, {
    method: 'PUT',
    headers: { Authorization: key.reveal(), 'Content-Type': 'application/json' },
    body: JSON.stringify(document),
  });
  if (answer.status !== 200) throw unexpected(`PUT /api/apis/${id}`, answer);
}

function dashboardCall(url: string, path: string, key: Secret): Promise<Answer> {
  return call(new URL(path, url).href, { headers: { Authorization: key.reveal() }, timeoutMs: 15_000 });
}

/** From a definition as Dashboard, Gateway and files have it. */
export function toListing(definition: Record<string, unknown>): ApiListing {
  const proxy = isRecord(definition['proxy']) ? definition['proxy'] : {};
  const keyless = definition['use_keyless'] === true;
  return {
    dbId: String(definition['id'] || definition['api_id'] || ''),
    apiId: String(definition['api_id'] ?? ''),
    name: String(definition['name'] ?? ''),
    organisation: String(definition['org_id'] ?? ''),
    active: definition['active'] !== false,
    listenPath: String(proxy['listen_path'] ?? ''),
    targetUrl: String(proxy['target_url'] ?? ''),
    keyless,
    auth: authKind(definition, keyless),
    oas: definition['is_oas'] === true,
    tags: Array.isArray(definition['tags']) ? definition['tags'].map(String) : [],
  };
}

function authKind(definition: Record<string, unknown>, keyless: boolean): string {
  if (keyless) return 'keyless';
  if (definition['enable_jwt'] === true) return 'jwt';
  if (definition['use_oauth2'] === true) return 'oauth';
  if (definition['use_mutual_tls_auth'] === true) return 'mtls';
  return definition['use_standard_auth'] === false ? 'other' : 'key';
}

function unexpected(path: string, answer: Answer): DrError {
  return new DrError('PROOF_FAILED', {
    proof: `Dashboard ${path}`,
    expected: '200 with a list',
    actual: answer.error ?? `${answer.status} ${answer.body.slice(0, 200)}`,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
