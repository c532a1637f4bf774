import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { listenersOn, watchConnections, type Watched } from '../../../adapters/host/sockets.ts';

/** Against the kernel's own tables: servers and connections of this process, and of one that it started. */

const open: (Server | Socket)[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const each of open.splice(0)) {
    if ('destroy' in each) each.destroy();
    else each.close();
  }
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function listen(host: string): Promise<number> {
  const server = createServer((socket) => void open.push(socket));
  open.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function connected(host: string, port: number): Promise<void> {
  const socket = connect(port, host);
  open.push(socket);
  await once(socket, 'connect');
}

/** A look at whatever leads to a port. */
const watchTo = (port: number, watched: Watched) => watchConnections(watched, (place) => place.port === port);

test.each(['127.0.0.1', '::1', '0.0.0.0', '::'])(
  'who listens on %s is found, and since when',
  async (host) => {
    const port = await listen(host);
    const found = await listenersOn([port, 1]);
    expect([...found.keys()]).toEqual([port]);
    const { pid, startedAt } = found.get(port)!;
    expect(pid).toBe(process.pid);
    expect(startedAt).toMatch(/^\d+$/);
    // The same process is the same, whenever it is asked.
    expect((await listenersOn([port])).get(port)).toEqual({ pid, startedAt });
  },
);

test('a port that is merely connected to is nobody’s that listens', async () => {
  const port = await listen('127.0.0.1');
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  await once(socket, 'connect');
  expect((await listenersOn([socket.localPort!])).size).toBe(0);
});

describe('a connection of whoever listens on a port is seen', () => {
  test.each([
    ['by IPv4', '127.0.0.1', '127.0.0.1'],
    ['by another address of this host', '127.0.0.2', '127.0.0.2'],
    ['by IPv4 written as IPv6, under the address that it means', '::ffff:127.0.0.1', '127.0.0.1'],
    ['by IPv6, to this host itself', '::1', '127.0.0.1'],
  ])('%s', async (_how, host, seen) => {
    const [own, port] = [await listen('127.0.0.1'), await listen('::')];
    const look = watchTo(port, { ports: [own], folders: [] });
    expect(await look()).toEqual([]);
    await connected(host, port);
    const crossing = { pid: process.pid, port: own, to: { ip: seen, port } };
    expect(await look()).toEqual([crossing]);
    // It is still there.
    expect(await look()).toEqual([crossing]);
  });

  test('but not that of another program, however often it is looked at', async () => {
    const port = await listen('127.0.0.1');
    const look = watchTo(port, { ports: [1], folders: ['/nowhere'] });
    await connected('127.0.0.1', port);
    expect(await look()).toEqual([]);
    expect(await look()).toEqual([]);
  });

  test('also one that leads there besides what was found harmless before', async () => {
    const port = await listen('127.0.0.1');
    const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-sockets-'));
    const look = watchTo(port, { ports: [], folders: [folder] });
    await connected('127.0.0.1', port);
    expect(await look()).toEqual([]);
    const pid = await childConnectedTo(port, { cwd: folder });
    expect(await look()).toMatchObject([{ pid: expect.any(Number) as number, to: { port } }]);
    expect(pid).not.toBe(process.pid);
    await rm(folder, { recursive: true });
  });

  test('also where it is one of a child’s child, as a service’s often is', async () => {
    const [own, port] = [await listen('127.0.0.1'), await listen('127.0.0.1')];
    await childConnectedTo(port, {});
    const [seen] = await watchTo(port, { ports: [own], folders: [] })();
    expect(seen).toMatchObject({ port: own, to: { ip: '127.0.0.1', port } });
    expect(seen!.pid).not.toBe(process.pid);
  });
});

async function childConnectedTo(port: number, options: { cwd?: string }): Promise<number> {
  const code = `require('node:net').connect(${port}, '127.0.0.1', () => console.log('there'))`;
  const words = ['-c', '"$0" -e "$1"; true', process.execPath, code];
  const child = spawn('sh', words, { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid!;
}
