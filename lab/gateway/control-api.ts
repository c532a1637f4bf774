import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Redis } from 'ioredis';
import { NOTIFICATION_CHANNEL, signNotification } from '../tyk/notification.ts';
import type { Conf } from './conf.ts';
import { createKey, deleteKey, readKey, type KeyDeps } from './control-keys.ts';
import { log } from './log.ts';
import type { Reloader } from './reloader.ts';

export interface ControlDeps extends KeyDeps {
  readonly conf: Conf;
  readonly redis: Redis;
  readonly reloader: Reloader;
}

export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

export const ok = (body: unknown = { status: 'ok', message: '' }): ControlAnswer => ({ status: 200, body });
export const failure = (status: number, message: string): ControlAnswer => ({
  status,
  body: { status: 'error', message },
});

/** Answers a request to `/tyk/...`, for whoever knows the secret. */
export async function serveControl(
  deps: ControlDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.headers['x-tyk-authorization'] !== deps.conf.secret.reveal()) {
    log('warning', 'attempted administrative access with invalid or missing key');
    send(response, failure(403, 'Attempted administrative access with invalid or missing key!'));
    return;
  }
  const url = new URL(request.url ?? '/', 'http://localhost');
  const path = url.pathname.slice('/tyk/'.length).replace(/\/+$/, '');
  const answer = await dispatch(deps, request, path, url.searchParams);
  if (answer) send(response, answer);
  else response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
}

async function dispatch(
  deps: ControlDeps,
  request: IncomingMessage,
  path: string,
  query: URLSearchParams,
): Promise<ControlAnswer | undefined> {
  const [resource = '', ...rest] = path.split('/');
  const name = decodeURIComponent(rest.join('/'));
  switch (`${request.method} ${resource}`) {
    case 'GET apis':
      return name === 'oas' ? ok(oasDocuments(deps)) : apis(deps, name);
    case 'GET policies':
      return policies(deps, name);
    case 'POST apis':
      return definedByDashboard(deps.conf.dashboardUrl, 'use_db_app_configs');
    case 'POST policies':
      return definedByDashboard(deps.conf.policiesUrl, 'service policy source');
    case 'POST keys':
      return createKey(deps, name, query, await readJson(request));
    case 'GET keys':
      return readKey(deps, name, query);
    case 'DELETE keys':
      return deleteKey(deps, name, query);
    case 'GET reload':
      return name === 'group' ? reloadGroup(deps) : reload(deps, query.get('block') === 'true');
    default:
      return undefined;
  }
}

function apis({ registry }: ControlDeps, apiId: string): ControlAnswer {
  if (apiId === '') return ok(registry.apis().map((entry) => entry.api_definition));
  const found = registry.api(apiId);
  return found ? ok(found.api_definition) : failure(404, 'API not found');
}

function oasDocuments({ registry }: ControlDeps): unknown[] {
  return registry.apis().flatMap((entry) => (entry.oas ? [entry.oas] : []));
}

function policies({ registry }: ControlDeps, id: string): ControlAnswer {
  if (id === '') return ok(registry.policies());
  const found = registry.policy(id);
  return found ? ok(found) : failure(404, 'Policy not found');
}

function definedByDashboard(dashboardUrl: string | undefined, setting: string): ControlAnswer | undefined {
  if (dashboardUrl === undefined) return undefined;
  return failure(500, `Due to enabled ${setting}, please use the Dashboard API`);
}

async function reload({ reloader }: ControlDeps, block: boolean): Promise<ControlAnswer> {
  const reloaded = reloader.request();
  if (block) await reloaded;
  return ok();
}

async function reloadGroup({ redis, conf }: ControlDeps): Promise<ControlAnswer> {
  const notification = JSON.stringify(signNotification('GroupReload', conf.nodeSecret));
  await redis.publish(NOTIFICATION_CHANNEL, notification).catch(() => undefined);
  return ok();
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, { status, body }: ControlAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
