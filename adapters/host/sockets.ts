import { readdir, readFile, readlink } from 'node:fs/promises';

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
  const listening = (await sockets()).filter(
    ({ state, local }) => state === LISTEN && ports.includes(local.port),
  );
  const wanted = new Map(listening.map(({ inode, local }) => [inode, local.port]));
  const found = new Map<number, Listener>();
  for (const pid of await pids()) {
    for (const inode of await inodesOf(pid)) {
      const port = wanted.get(inode);
      const startedAt = port === undefined ? undefined : await startOf(pid);
      if (port !== undefined && startedAt !== undefined && !found.has(port))
        found.set(port, { pid, startedAt });
    }
  }
  return found;
}

/** To which addresses some processes and their children are connected, or try to be. */
export async function connectionsOf(roots: readonly number[]): Promise<{ pid: number; to: Place }[]> {
  const connected = new Map(
    (await sockets())
      .filter(({ state }) => CONNECTED.includes(state))
      .map(({ inode, remote }) => [inode, remote]),
  );
  const all: { pid: number; to: Place }[] = [];
  for (const pid of await withChildren(roots))
    for (const inode of await inodesOf(pid)) {
      const to = connected.get(inode);
      if (to) all.push({ pid, to });
    }
  return all;
}

async function withChildren(roots: readonly number[]): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const pid of await pids()) {
    const stat = await statOf(pid);
    if (stat) parents.set(pid, Number(stat[1]));
  }
  const family = new Set(roots);
  for (let grown = true; grown;) {
    grown = false;
    for (const [pid, parent] of parents)
      if (family.has(parent) && !family.has(pid)) {
        family.add(pid);
        grown = true;
      }
  }
  return [...family];
}

async function sockets(): Promise<Socket[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables.flatMap((table) =>
    table
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields.length > 9)
      .map((fields) => ({
        local: placeOf(fields[1]!),
        remote: placeOf(fields[2]!),
        state: fields[3]!,
        inode: fields[9]!,
      })),
  );
}

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

async function pids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function inodesOf(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

async function startOf(pid: number): Promise<string | undefined> {
  return (await statOf(pid))?.[19];
}

/** The fields behind the name, which may hold blanks: state, parent, … */
async function statOf(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}
