import {
  Agent,
  request,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { VERSION } from './health.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const MAX_IDLE_SOCKETS = 256;

const agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, scheduling: 'lifo' });

export interface Proxied {
  readonly status: number;
  readonly upstreamMs: number;
}

/** The path at the upstream: the target's own path and what is left of the request's. */
export function joinPaths(targetPath: string, rest: string): string {
  const target = targetPath.replace(/\/+$/, '');
  const tail = rest.replace(/^\/+/, '');
  return tail === '' ? target || '/' : `${target}/${tail}`;
}

/**
 * Sends the request on and its answer back, without holding either in memory.
 *
 * @param path with query, as the upstream is to see it.
 * @throws Error where the upstream gave no answer; nothing was sent to the client then.
 */
export function proxy(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: URL,
  path: string,
  extraHeaders: OutgoingHttpHeaders,
): Promise<Proxied> {
  const startedAt = performance.now();
  const headers = forwardedHeaders(incoming, target);
  const hasBody = 'content-length' in incoming.headers || 'transfer-encoding' in incoming.headers;
  return new Promise((resolve, reject) => {
    const send = (mayRetry: boolean): void => {
      const upstream = request({
        host: target.hostname,
        port: target.port || 80,
        method: incoming.method,
        path,
        headers,
        agent,
      });
      outgoing.on('close', () => upstream.destroy());
      upstream.on('error', (error) => {
        // A kept connection may have been closed by the upstream just now; the request never got there.
        if (mayRetry && upstream.reusedSocket) send(false);
        else reject(error);
      });
      upstream.on('response', (answer) => {
        const status = answer.statusCode ?? 502;
        outgoing.writeHead(status, { ...endToEnd(answer.headers), ...extraHeaders });
        answer.on('error', () => outgoing.destroy());
        answer.on('end', () => resolve({ status, upstreamMs: performance.now() - startedAt }));
        answer.pipe(outgoing);
      });
      if (hasBody) incoming.pipe(upstream);
      else upstream.end();
    };
    send(!hasBody);
  });
}

/** Closes the idle connections to upstreams. */
export function closeUpstreams(): void {
  agent.destroy();
}

function forwardedHeaders(incoming: IncomingMessage, target: URL): OutgoingHttpHeaders {
  const client = incoming.socket.remoteAddress ?? '';
  const before = incoming.headers['x-forwarded-for'];
  return {
    'user-agent': `Tyk/${VERSION}`,
    ...endToEnd(incoming.headers),
    host: target.host,
    'x-forwarded-for': before === undefined ? client : `${String(before)}, ${client}`,
    ...(incoming.headers['transfer-encoding'] ? { 'transfer-encoding': 'chunked' } : {}),
  };
}

function endToEnd(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) if (!HOP_BY_HOP.has(name)) kept[name] = value;
  return kept;
}
