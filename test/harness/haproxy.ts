import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from '../../adapters/haproxy/runtime.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { localUrl } from '../../lab/layout.ts';
import { eventually } from './gateway.ts';

/** A real HAProxy before servers of this process, with a state file; it dies with the tests. */

export interface TestHaproxy {
  readonly dir: string;
  readonly socket: string;
  readonly stateFile: string;
  readonly url: string;
  readonly servers: Readonly<Record<string, TestServer>>;
  /** As `systemctl restart` does: a new process, which knows what the state file says. */
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface TestServer {
  /** What clients and health checks are told. */
  status: number;
  healthy: boolean;
  /** Requests of clients that have come to it. */
  count: number;
  /** Answers that it holds back: those to /slow. */
  readonly held: ServerResponse[];
}

export const BACKEND = 'gateways';

/** @param out those that begin in maintenance; `balance` as HAProxy's configuration has it */
export async function startTestHaproxy(
  names: readonly string[],
  { out = [], balance = 'roundrobin' }: { out?: readonly string[]; balance?: string } = {},
): Promise<TestHaproxy> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-haproxy-test-'));
  const [socket, stateFile, port] = [join(dir, 'admin.sock'), join(dir, 'servers.state'), await freePort()];
  const servers: Record<string, TestServer> = {};
  const listening: Server[] = [];
  const lines: string[] = [];
  for (const name of names) {
    const own: TestServer = (servers[name] = { status: 200, healthy: true, count: 0, held: [] });
    const server = createServer((request, response) => {
      if (request.url === '/hello') return void response.writeHead(own.healthy ? 200 : 503).end();
      own.count += 1;
      if (request.url === '/slow') return void own.held.push(response);
      response.writeHead(own.status).end(name);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    listening.push(server);
    const { port: at } = server.address() as { port: number };
    lines.push(
      `  server ${name} 127.0.0.1:${at} check inter 100ms fall 2 rise 1${out.includes(name) ? ' disabled' : ''}`,
    );
  }
  await writeFile(stateFile, '');
  await writeFile(
    join(dir, 'haproxy.cfg'),
    [
      ...['global', `  stats socket ${socket} mode 600 level admin`, `  server-state-file ${stateFile}`],
      ...['defaults', '  mode http', '  timeout connect 1s', '  timeout client 30s', '  timeout server 30s'],
      ...['  load-server-state-from-file global', 'frontend clients', `  bind 127.0.0.1:${port}`],
      ...[`  default_backend ${BACKEND}`, `backend ${BACKEND}`, `  balance ${balance}`],
      ...['  option httpchk GET /hello', ...lines, ''],
    ].join('\n'),
  );
  let proxy: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const argv = ['--pdeathsig', 'KILL', '--', '/usr/sbin/haproxy', '-db', '-f', join(dir, 'haproxy.cfg')];
    proxy = spawn('setpriv', argv, { stdio: 'ignore' });
    await eventually(() => command(socket, 'show info'));
  };
  const end = async (): Promise<void> => {
    const exited = once(proxy!, 'exit');
    proxy!.kill('SIGKILL');
    await exited;
  };
  await start();
  return {
    ...{ dir, socket, stateFile, servers },
    url: localUrl(port),
    restart: async () => {
      await end();
      await start();
    },
    close: async () => {
      await end();
      for (const server of listening) {
        server.closeAllConnections();
        server.close();
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
