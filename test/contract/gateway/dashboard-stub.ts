import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Secret } from '../../../domain/secret.ts';
import type { ApiListEntry } from '../../../lab/tyk/api-definition.ts';
import { DASHBOARD_HEADERS, DASHBOARD_PATHS } from '../../../lab/tyk/dashboard-protocol.ts';
import type { Policy } from '../../../lab/tyk/policy.ts';
import { freePort } from '../../../adapters/host/free-port.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
}

/** A Dashboard that says what the test tells it to, and remembers what it was asked. */
export interface DashboardStub {
  readonly url: string;
  readonly port: number;
  apis: readonly ApiListEntry[];
  policies: readonly Policy[];
  /** The status that every request to a path gets instead of its answer. */
  readonly failures: Map<string, number>;
  readonly seen: SeenRequest[];
  /** Every nonce given so far, in order. */
  readonly nonces: string[];
  count(path: string, status?: number): number;
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  resume(): Promise<void>;
}

/** Starts a stub that refuses any node secret but this one. */
export async function startDashboardStub(nodeSecret: Secret): Promise<DashboardStub> {
  const port = await freePort();
  let server: Server | undefined;
  const stub: DashboardStub = {
    url: `http://127.0.0.1:${port}`,
    port,
    apis: [],
    policies: [],
    failures: new Map(),
    seen: [],
    nonces: [],
    count: (path, status = 200) =>
      stub.seen.filter((request) => request.path === path && request.status === status).length,
    stop: async () => {
      if (!server) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      server = undefined;
      await closed;
    },
    resume: async () => {
      server = createServer((request, response) => answer(stub, nodeSecret, request, response));
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
  };
  await stub.resume();
  return stub;
}

function answer(
  stub: DashboardStub,
  nodeSecret: Secret,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = request.url ?? '';
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const known = headers[DASHBOARD_HEADERS.nodeSecret] === nodeSecret.reveal();
  const status = stub.failures.get(path) ?? (known ? 200 : 403);
  stub.seen.push({ method: request.method ?? '', path, headers, status });
  if (status !== 200) {
    response.writeHead(status).end(JSON.stringify({ Status: 'Error', Message: 'refused', Nonce: '' }));
    return;
  }
  const nonce = `nonce-${stub.nonces.length + 1}`;
  stub.nonces.push(nonce);
  const body = { Status: 'OK', Message: message(stub, path), Nonce: nonce };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function message(stub: DashboardStub, path: string): unknown {
  switch (path) {
    case DASHBOARD_PATHS.register:
      return { NodeID: `node-${stub.count(path)}` };
    case DASHBOARD_PATHS.apis:
      return stub.apis;
    case DASHBOARD_PATHS.policies:
      return stub.policies;
    default:
      return null;
  }
}
