import type { Secret } from '../../domain/secret.ts';
import { DrError } from '../../domain/errors.ts';
import { call, json, type Answer, type Call } from './http.ts';

/** What a recovery asks of a Gateway: its health and what it has loaded. Sources: Tyk's control API and `/hello`. */

export interface Hello {
  readonly status: string;
  readonly version: string;
  /** Verdict by part: `redis`, `dashboard`. Empty for about the first ten seconds of a Gateway's life. */
  readonly details: Readonly<Record<string, string>>;
}

/** Undefined where nothing answers as a Gateway does. `/hello` answers 200 whatever it says. */
export async function gatewayHello(
  url: string,
  limits: Pick<Call, 'timeoutMs' | 'wholeMs'> = {},
): Promise<Hello | undefined> {
  const body = json(await call(new URL('/hello', url).href, limits));
  if (!isRecord(body) || typeof body['status'] !== 'string') return undefined;
  const details: Record<string, string> = {};
  if (isRecord(body['details'])) {
    for (const [part, detail] of Object.entries(body['details'])) {
      if (isRecord(detail)) details[part] = String(detail['status']);
    }
  }
  return { status: body['status'], version: String(body['version'] ?? ''), details };
}

/** Ids of the APIs in a Gateway's memory, sorted. */
export function loadedApis(url: string, secret: Secret, organisation?: string): Promise<string[]> {
  return ids(url, '/tyk/apis/', secret, ['api_id'], organisation);
}

/** Ids of the policies in a Gateway's memory, sorted. */
export function loadedPolicies(url: string, secret: Secret, organisation?: string): Promise<string[]> {
  return ids(url, '/tyk/policies', secret, ['id', '_id'], organisation);
}

/** The name under which a Gateway has an API in memory; undefined where it has none. */
export async function loadedName(url: string, secret: Secret, apiId: string): Promise<string | undefined> {
  const answer = await control(url, `/tyk/apis/${encodeURIComponent(apiId)}`, secret);
  const body = json(answer);
  return answer.status === 200 && isRecord(body) ? String(body['name'] ?? '') : undefined;
}

/** Makes one Gateway load anew; by itself it would wait for a notification, to which it is deaf at first. */
export async function reload(url: string, secret: Secret): Promise<void> {
  const answer = await control(url, '/tyk/reload?block=true', secret);
  if (answer.status !== 200) throw unexpected(url, '/tyk/reload', answer);
}

async function ids(
  url: string,
  path: string,
  secret: Secret,
  fields: readonly string[],
  organisation: string | undefined,
): Promise<string[]> {
  const answer = await control(url, path, secret);
  const body = json(answer);
  if (answer.status !== 200 || !Array.isArray(body)) throw unexpected(url, path, answer);
  return body
    .filter(isRecord)
    .filter((item) => organisation === undefined || item['org_id'] === organisation)
    .map((item) => String(fields.map((field) => item[field]).find((value) => Boolean(value)) ?? ''))
    .sort();
}

function control(url: string, path: string, secret: Secret): Promise<Answer> {
  return call(new URL(path, url).href, {
    headers: { 'X-Tyk-Authorization': secret.reveal() },
    timeoutMs: 15_000,
  });
}

function unexpected(url: string, path: string, answer: Answer): DrError {
  return new DrError('PROOF_FAILED', {
    proof: `Gateway ${url}${path}`,
    expected: '200 with a list',
    actual: answer.error ?? `${answer.status} ${answer.body.slice(0, 200)}`,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
