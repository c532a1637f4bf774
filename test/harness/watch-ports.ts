import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

/** Listens where somebody else used to, answers nothing, and finds out who calls. */

export interface Caller {
  /** What used to listen there. */
  readonly called: string;
  /** The command line of the process at the other end. */
  readonly by: string;
}

/** Who hung up before it could be found. */
export const HUNG_UP = 'unknown';

export interface Watch {
  readonly callers: readonly Caller[];
  close(): Promise<void>;
}

/** @param likely who calls most: looked at first, for whoever has hung up can no longer be found. */
export async function watchPorts(
  ports: Readonly<Record<string, number>>,
  likely: readonly number[],
): Promise<Watch> {
  const callers: Caller[] = [];
  const sockets: Socket[] = [];
  const servers = Object.entries(ports).map(([called, port]) =>
    createServer((socket) => {
      // While it is open: afterwards nobody knows whose it was.
      callers.push({ called, by: ownerOf(socket.remotePort ?? 0, port, likely) });
      sockets.push(socket.on('error', () => undefined));
    }).listen(port, '127.0.0.1'),
  );
  await Promise.all(servers.map((server) => once(server, 'listening')));
  return {
    callers,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** From the kernel's list of connections to a socket's inode, from there to the process that has it open. */
function ownerOf(localPort: number, remotePort: number, likely: readonly number[]): string {
  const ends = `:${hex(localPort)} 0100007F:${hex(remotePort)} `;
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((candidate) => candidate.includes(ends));
  const inode = line?.trim().split(/\s+/)[9];
  if (inode === undefined || inode === '0') return HUNG_UP;
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const pid of [...likely.map(String), ...all]) {
    try {
      const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlink(`/proc/${pid}/fd/${fd}`));
      if (files.includes(`socket:[${inode}]`))
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    } catch {
      // It has ended in between.
    }
  }
  return HUNG_UP;
}

function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
