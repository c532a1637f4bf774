import { readdir, readFile, readlink } from 'node:fs/promises';
import { mapParallel } from '../files/map-parallel.ts';

/** Which programs of this host listen on which TCP ports, out of /proc: proc(5). Those of other users only for root. */

export interface Listener {
  readonly pid: number;
  readonly program: string;
  readonly ports: readonly number[];
}

export interface Listeners {
  readonly listeners: readonly Listener[];
  /** Ports of which nobody could tell the program. */
  readonly unknown: readonly number[];
}

const LISTEN = '0A';

export async function listListeners(): Promise<Listeners> {
  const ports = await listeningPorts();
  const found: Listener[] = [];
  const known = new Set<string>();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  await mapParallel(pids, async (pid) => {
    const own = new Set<number>();
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const [, inode] =
        /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) ?? [];
      const port = inode === undefined ? undefined : ports.get(inode);
      if (port === undefined) continue;
      own.add(port);
      known.add(inode!);
    }
    if (own.size === 0) return;
    // Not by its file: Debian's redis-server is a link to redis-check-rdb.
    const program = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
    found.push({ pid: Number(pid), program, ports: [...own].sort((a, b) => a - b) });
  });
  return {
    listeners: found.sort((a, b) => a.pid - b.pid),
    unknown: [...new Set([...ports].flatMap(([inode, port]) => (known.has(inode) ? [] : [port])))].sort(
      (a, b) => a - b,
    ),
  };
}

/** By the inode of the socket. */
async function listeningPorts(): Promise<Map<string, number>> {
  const texts = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const ports = new Map<string, number>();
  for (const line of texts.join('\n').split('\n')) {
    const fields = line.trim().split(/\s+/);
    const port = fields[1]?.split(':')[1];
    if (fields[3] === LISTEN && port !== undefined && fields[9] !== undefined)
      ports.set(fields[9], Number.parseInt(port, 16));
  }
  return ports;
}
