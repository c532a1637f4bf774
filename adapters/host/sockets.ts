import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Who listens and who is connected to whom on this host, as Linux tells it (proc(5): net/tcp, PID/fd, PID/stat). */

interface Socket {
  readonly local: Place;
  readonly remote: Place;
  readonly state: string;
  readonly inode: string;
}

export interface Place {
  /** An IPv4 address, also where it was written as IPv6; else 32 hexadecimal digits. */
  readonly ip: string;
  readonly port: number;
}

export interface Listener {
  readonly pid: number;
  /** Clock ticks since the host's start: another process never has both pid and this. */
  readonly startedAt: string;
}

const LISTEN = '0A';
/** About to be, being, and having been connected by either side: what shows that somebody tried. */
const CONNECTED = ['01', '02', '04', '05', '08', '09'];

/** The processes that listen on some ports; those of other users are not to be seen by an ordinary one. */
export async function listenersOn(ports: readonly number[]): Promise<Map<number, Listener>> {
  const found = new Map<number, Listener>();
  for (const [pid, port] of ownersOf(listening(await sockets(), ports))) {
    const startedAt = startOf(pid);
    if (startedAt !== undefined && !found.has(port)) found.set(port, { pid, startedAt });
  }
  return found;
}

export interface Program {
  readonly pid: number;
  readonly program: string;
  /** On which it listens, in their order. */
  readonly ports: readonly number[];
}

/** Every program that listens, by pid; and the ports of which nobody could tell whose they are. */
export async function allListeners(): Promise<{ listeners: Program[]; unknown: number[] }> {
  const open = new Map(
    (await sockets())
      .filter(({ state }) => state === LISTEN)
      .map(({ inode, local }) => [inode, { inode, port: local.port }]),
  );
  const owners = ownersOf(open);
  const byPid = new Map<number, Set<number>>();
  for (const [pid, { port }] of owners) byPid.set(pid, (byPid.get(pid) ?? new Set()).add(port));
  const known = new Set(owners.map(([, { inode }]) => inode));
  const ascending = (ports: Iterable<number>): number[] => [...new Set(ports)].sort((a, b) => a - b);
  return {
    listeners: [...byPid]
      .map(([pid, ports]) => ({ pid, program: nameOf(pid), ports: ascending(ports) }))
      .sort((a, b) => a.pid - b.pid),
    unknown: ascending([...open.values()].filter(({ inode }) => !known.has(inode)).map(({ port }) => port)),
  };
}

/** Not by its file: Debian's redis-server is a link to redis-check-rdb. */
function nameOf(pid: number): string {
  return (attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8')) ?? '').trim();
}

/** Programs that are looked after, and how they are known. */
export interface Watched {
  /** Who listens on one of these is one of them, and so are its children. */
  readonly ports: readonly number[];
  /** Who works in one of these folders, or was started with a path in one, is one of them as well. */
  readonly folders: readonly string[];
}

/** One connection of theirs. */
export interface Crossing {
  readonly pid: number;
  readonly to: Place;
  /** The port on which it, or its parent, listens; none where only its folder tells whose it is. */
  readonly port?: number;
}

/**
 * Makes a look at the connections of some programs to some places. Meant to be called several times a second: it reads
 * the kernel's tables, and looks for the owner only of what leads to such a place and was not there before.
 *
 * @param leadsThere whether it matters to whom a connection leads
 */
export function watchConnections(
  { ports, folders }: Watched,
  leadsThere: (place: Place) => boolean,
): () => Promise<Crossing[]> {
  let foreign = new Set<string>();
  return async () => {
    const all = await sockets();
    const candidates = all.filter(({ state, remote }) => CONNECTED.includes(state) && leadsThere(remote));
    const unknown = candidates.filter(({ inode }) => !foreign.has(inode));
    foreign = new Set(candidates.map(({ inode }) => inode).filter((inode) => foreign.has(inode)));
    if (unknown.length === 0) return [];
    const listeners = new Map(ownersOf(listening(all, ports)));
    const owners = ownersOf(new Map(unknown.map((socket) => [socket.inode, socket])));
    return owners.flatMap(([pid, { inode, remote }]): Crossing[] => {
      const port = portOf(pid, listeners);
      if (port === undefined && !worksIn(pid, folders)) {
        foreign.add(inode);
        return [];
      }
      return [{ pid, to: remote, ...(port === undefined ? {} : { port }) }];
    });
  };
}

function listening(all: readonly Socket[], ports: readonly number[]): Map<string, number> {
  const own = all.filter(({ state, local }) => state === LISTEN && ports.includes(local.port));
  return new Map(own.map(({ inode, local }) => [inode, local.port]));
}

/** Which processes hold which of these sockets. A socket without an owner is one that its process has just closed. */
function ownersOf<T>(byInode: ReadonlyMap<string, T>): [number, T][] {
  if (byInode.size === 0) return [];
  return pids().flatMap((pid) =>
    inodesOf(pid).flatMap((inode): [number, T][] => {
      const value = byInode.get(inode);
      return value === undefined ? [] : [[pid, value]];
    }),
  );
}

/** Of itself or of the nearest ancestor that listens. */
function portOf(pid: number, listeners: ReadonlyMap<number, number>): number | undefined {
  // A host has far fewer generations; a number that is given anew meanwhile must not make a ring.
  for (let at = pid, left = 64; at > 1 && left > 0; at = Number(statOf(at)?.[1] ?? 0), left -= 1) {
    const port = listeners.get(at);
    if (port !== undefined) return port;
  }
  return undefined;
}

function worksIn(pid: number, folders: readonly string[]): boolean {
  const words = [
    attempt(() => readlinkSync(`/proc/${pid}/cwd`)) ?? '',
    ...(attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '').split('\0'),
  ];
  return folders.some((folder) => words.some((word) => `${word}/`.includes(`${folder}/`)));
}

/** Those that somebody holds: a busy host remembers thousands that are closed, for a minute each. */
async function sockets(): Promise<Socket[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables.flatMap((table) =>
    [...table.matchAll(ROW)].map(([, local, remote, state, inode]) => ({
      ...{ local: placeOf(local!), remote: placeOf(remote!) },
      ...{ state: state!, inode: inode! },
    })),
  );
}

/** Addresses, state, four columns of no interest, inode; without TIME_WAIT (06), which is nobody's any more. */
const ROW = /^ *\d+: (\S+) (\S+) (?!06)(\S\S) \S+ \S+ \S+ +\d+ +\d+ (\d+) /gm;

/** `0100007F:1F90`: the address in the host's byte order, four bytes at a time. */
function placeOf(text: string): Place {
  const [hex, port] = text.split(':') as [string, string];
  const words = hex.match(/.{8}/g)!.map((word) => word.match(/../g)!.reverse().join(''));
  const whole = words.join('').toLowerCase();
  const mapped = whole.length === 8 || whole.startsWith('00000000000000000000ffff');
  const last = whole.slice(-8).match(/../g)!;
  const loopback = whole === `${'0'.repeat(31)}1`;
  const ip = loopback
    ? '127.0.0.1'
    : mapped
      ? last.map((byte) => Number.parseInt(byte, 16)).join('.')
      : whole;
  return { ip, port: Number.parseInt(port, 16) };
}

// Synchronous: what /proc answers is in memory, and a thread for each of thousands of links costs more than the links.

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function inodesOf(pid: number): string[] {
  const names = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return names.flatMap((name) => {
    const link = attempt(() => readlinkSync(`/proc/${pid}/fd/${name}`)) ?? '';
    return link.startsWith('socket:[') ? [link.slice('socket:['.length, -1)] : [];
  });
}

function startOf(pid: number): string | undefined {
  return statOf(pid)?.[19];
}

/** The fields behind the name, which may hold blanks: state, parent, … */
function statOf(pid: number): string[] | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** A process may end, or be another user's, at any moment. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
