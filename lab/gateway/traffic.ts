import type { IncomingMessage, ServerResponse } from 'node:http';
import { EMPTY_ANALYTICS, type AnalyticsRecord } from '../tyk/analytics-record.ts';
import type { ApiDefinition } from '../tyk/api-definition.ts';
import { checkAccess, type AccessDeps, type Caller } from './access.ts';
import { log, reasonOf } from './log.ts';
import { joinPaths, proxy } from './proxy.ts';
import type { Recorder } from './recorder.ts';
import { Refusal, REFUSALS } from './refusal.ts';

const EXPIRY_MS = 100 * 365 * 86_400_000;

export interface TrafficDeps extends AccessDeps {
  /** Undefined where analytics is off. */
  readonly recorder: Recorder | undefined;
  /** The form in which a key is recorded. */
  readonly recordedKey: (keyId: string) => string;
}

interface Outcome {
  readonly status: number;
  readonly path: string;
  readonly version: string;
  readonly totalMs: number;
  readonly upstreamMs: number;
}

/** Serves one request to an API: route, version, key, limits, upstream, record. */
export async function serveTraffic(
  deps: TrafficDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = '/', query = ''] = splitQuery(request.url ?? '/');
  const api = deps.registry.route(path);
  if (!api) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not Found');
    return;
  }
  const startedAt = performance.now();
  const caller: Caller = { session: undefined, keyId: '' };
  const version = versionOf(api, request);
  const rest = stripListenPath(api, path);
  try {
    const target = new URL(targetOf(api, version));
    if (!api.use_keyless) await checkAccess(deps, api, request, version, caller);
    const upstreamPath = joinPaths(target.pathname, rest);
    const { status, upstreamMs } = await proxy(
      request,
      response,
      target,
      upstreamPath + query,
      quotaHeaders(caller),
    ).catch((error: unknown) => {
      log('error', `upstream of ${api.api_id}: ${reasonOf(error)}`);
      throw REFUSALS.upstream();
    });
    const totalMs = performance.now() - startedAt;
    record(deps, api, request, caller, { status, path: upstreamPath, version, totalMs, upstreamMs });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(response, error);
    record(deps, api, request, caller, {
      status: error.status,
      path: rest,
      version,
      totalMs: 0,
      upstreamMs: 0,
    });
  }
}

function splitQuery(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}

/** Empty where the API has no versions. */
function versionOf(api: ApiDefinition, request: IncomingMessage): string {
  const { not_versioned: notVersioned, default_version: byDefault } = api.version_data;
  if (notVersioned) return '';
  return String(request.headers[api.definition.key.toLowerCase()] ?? '') || byDefault;
}

function targetOf(api: ApiDefinition, version: string): string {
  if (version === '') return api.proxy.target_url;
  const found = api.version_data.versions[version];
  if (!found) throw REFUSALS.noSuchVersion();
  return found.override_target || api.proxy.target_url;
}

function stripListenPath(api: ApiDefinition, path: string): string {
  const { listen_path: listenPath, strip_listen_path: strip } = api.proxy;
  if (!strip || !path.startsWith(listenPath)) return path;
  const rest = path.slice(listenPath.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function quotaHeaders({ session }: Caller): Record<string, string> {
  return {
    'x-ratelimit-limit': String(session?.quota_max ?? 0),
    'x-ratelimit-remaining': String(session?.quota_remaining ?? 0),
    'x-ratelimit-reset': String(session?.quota_renews ?? 0),
  };
}

function refuse(response: ServerResponse, { status, message }: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify({ error: message }, null, 4);
  response.writeHead(status, { 'content-type': 'application/json', 'x-generator': 'tyk.io' }).end(body);
}

function record(
  deps: TrafficDeps,
  api: ApiDefinition,
  request: IncomingMessage,
  { session, keyId }: Caller,
  outcome: Outcome,
): void {
  if (!deps.recorder || api.do_not_track) return;
  const now = new Date();
  const key = deps.recordedKey(keyId);
  const policies = (session?.apply_policies ?? []).map((id) => `pol-${id}`);
  const identity = [...(key === '' ? [] : [`key-${key}`]), `org-${api.org_id}`, `api-${api.api_id}`];
  const analytics: AnalyticsRecord = {
    Method: request.method ?? '',
    Host: new URL(api.proxy.target_url).host,
    Path: outcome.path,
    RawPath: outcome.path,
    ContentLength: Number(request.headers['content-length'] ?? 0),
    UserAgent: request.headers['user-agent'] ?? '',
    Day: now.getDate(),
    Month: now.getMonth() + 1,
    Year: now.getFullYear(),
    Hour: now.getHours(),
    ResponseCode: outcome.status,
    APIKey: key,
    TimeStamp: now,
    APIVersion: outcome.version || 'Non Versioned',
    APIName: api.name,
    APIID: api.api_id,
    OrgID: api.org_id,
    RequestTime: Math.floor(outcome.totalMs),
    IPAddress: request.socket.remoteAddress ?? '',
    Latency: { Total: Math.floor(outcome.totalMs), Upstream: Math.floor(outcome.upstreamMs) },
    Tags: [...policies, ...(session?.tags ?? []), ...(api.tags ?? []), ...identity],
    Alias: session?.alias ?? '',
    ExpireAt: new Date(now.getTime() + EXPIRY_MS),
    ...EMPTY_ANALYTICS,
  };
  deps.recorder.record(analytics);
}
