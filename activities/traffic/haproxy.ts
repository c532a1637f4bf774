import {
  saveStates,
  serverCounts,
  serverStates,
  setServerState,
  setServerWeight,
  type AdminState,
  type ServerState,
} from '../../adapters/haproxy/runtime.ts';
import type { HaproxyTraffic } from '../../domain/config-traffic.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import { awaitUntil } from '../await-until.ts';
import { proof } from '../proofs.ts';
import type { At, Found, Moved, Standing, TrafficDriver } from './driver.ts';
import { sharedWeights, sharesOf } from './weights.ts';

/** HAProxy by its runtime socket: servers go in and out, drain, and share by their weights. */

export function haproxyDriver(traffic: HaproxyTraffic, { signal }: At): TrafficDriver {
  const { socket, backend, stateFile, drainTimeout, upTimeout } = traffic;
  const states = (): Promise<ServerState[]> => serverStates(socket, backend);
  const failed = (reason: string): DrError => new DrError('TRAFFIC_FAILED', { backend, reason });
  let changed = false;

  const set = async (server: ServerState, state: AdminState): Promise<void> => {
    if (server.admin === state) return;
    changed = true;
    await setServerState(socket, backend, server.name, state);
  };
  const weigh = async (server: ServerState, weight: number): Promise<void> => {
    if (server.weight === weight) return;
    changed = true;
    await setServerWeight(socket, backend, server.name, weight);
  };

  /** @param checked by a health check since they came in: it takes as long as those, and clients who lack nothing wait */
  const awaitUp = (names: ReadonlySet<string>, checked: boolean): Promise<true> =>
    awaitUntil(
      async () => {
        const own = (await states()).filter(({ name }) => names.has(name));
        if (!own.every(({ admin, up }) => admin === 'ready' && up)) return undefined;
        if (!checked) return true;
        const counts = (await serverCounts(socket, backend)).filter(({ name }) => names.has(name));
        return counts.every((count) => count.checked) ? true : undefined;
      },
      {
        timeoutMs: upTimeout,
        signal,
        late: () => failed('did not bring the servers of the target up'),
      },
    );

  /** Out, once what is under way has ended or its time is over. @returns what was cut off, in words. */
  const takeOut = async (servers: readonly ServerState[], drains: boolean): Promise<string[]> => {
    const going = servers.filter(({ admin }) => admin !== 'maint');
    const busy = drains ? going.filter(({ up }) => up) : [];
    for (const server of busy) await set(server, 'drain');
    const left = busy.length === 0 ? [] : await drained(new Set(busy.map(({ name }) => name)));
    for (const server of going) await set(server, 'maint');
    return left;
  };
  const drained = async (names: ReadonlySet<string>): Promise<string[]> => {
    const deadline = Date.now() + drainTimeout;
    return awaitUntil(
      async () => {
        const busy = (await serverCounts(socket, backend)).filter(
          ({ name, current }) => names.has(name) && current > 0,
        );
        if (busy.length === 0) return [];
        if (Date.now() < deadline) return undefined;
        return busy.map(
          ({ name, current }) =>
            `${current} request${current === 1 ? '' : 's'} under way on ${name} had not ended after ${formatDuration(drainTimeout)}`,
        );
      },
      // The look itself ends it in time.
      { timeoutMs: Infinity, everyMs: 50, signal, late: () => failed('does not drain') },
    );
  };

  const done = async (what: string, notes: readonly string[]): Promise<Moved> => {
    if (stateFile !== undefined) await saveStates(socket, stateFile);
    return { changed, what, notes };
  };

  const look = async (): Promise<Standing> => {
    const all = await states();
    const able = all.filter(({ admin, up }) => admin === 'ready' && up).map(({ name }) => name);
    return {
      shares: sharesOf(traffic.servers, all),
      able: Object.keys(traffic.servers).filter((site) =>
        traffic.servers[site]!.some((name) => able.includes(name)),
      ),
      found: {
        kind: 'haproxy',
        servers: all.map(({ name, admin, weight }) => ({ name, admin, weight })),
      },
    };
  };

  return {
    name: backend,
    look,

    async check(site) {
      const wanted = serversOf(traffic, site, await states()).join(', ');
      return [proof('the load balancer knows the servers of the target', true, wanted, wanted)];
    },

    async point(site, percent, { othersAreGone } = { othersAreGone: false }) {
      changed = false;
      const all = await states();
      const names = new Set(serversOf(traffic, site, all));
      const own = all.filter(({ name }) => names.has(name));
      const others = all.filter(({ name }) => !names.has(name));
      if (percent < 100) {
        const staying = others.filter(({ admin }) => admin === 'ready');
        if (staying.length === 0) throw failed(`cannot give ${site} ${percent} %: no other server is in`);
        const weights = sharedWeights(own, staying, percent);
        if (!weights) throw failed(`cannot give ${site} ${percent} %: every server of a site has weight 0`);
        // Before they come in: not one request more than their share.
        for (const server of [...own, ...staying]) await weigh(server, weights.get(server.name)!);
        for (const server of own) await set(server, 'ready');
        await awaitUp(names, true);
        return done(`${[...names].join(', ')} get ${percent} %`, []);
      }
      // First in, then out: with both in for a moment no request finds an empty backend.
      for (const server of own) await set(server, 'ready');
      if (!othersAreGone) await awaitUp(names, true);
      const left = await takeOut(others, !othersAreGone);
      for (const server of all) await weigh(server, server.configWeight);
      await awaitUp(names, false);
      const list = [...names].join(', ');
      return done(changed ? `${list} serve, every other server is out` : `${list} already served`, left);
    },

    async holdOut(site) {
      changed = false;
      const own = new Set(traffic.servers[site] ?? []);
      const going = (await states()).filter(({ name, admin }) => own.has(name) && admin !== 'maint');
      if (going.length === 0) return { changed, what: `${site} had no traffic`, notes: [] };
      const left = await takeOut(going, true);
      return done(`${going.map(({ name }) => name).join(', ')} taken out until the proofs`, left);
    },

    async putBack(found) {
      changed = false;
      const kept = keptOf(found, backend);
      const all = await states();
      const before = (name: string): AdminState => kept.get(name)?.admin ?? 'maint';
      const known = all.filter(({ name }) => kept.has(name));
      for (const server of known) await weigh(server, kept.get(server.name)!.weight);
      for (const server of known.filter(({ name }) => before(name) !== 'maint'))
        await set(server, before(server.name));
      const left = await takeOut(
        known.filter(({ name }) => before(name) === 'maint'),
        true,
      );
      const serve = known.filter(({ name }) => before(name) === 'ready').map(({ name }) => name);
      return done(`${serve.join(', ') || 'no server'} in as before`, left);
    },

    async served(site) {
      const own = new Set(traffic.servers[site] ?? []);
      const counts = (await serverCounts(socket, backend)).filter(({ name }) => own.has(name));
      const sum = (of: 'answers' | 'errors'): number => counts.reduce((total, count) => total + count[of], 0);
      return { answers: sum('answers'), errors: sum('errors') };
    },
  };
}

type Kept = Extract<Found, { kind: 'haproxy' }>['servers'][number];

function keptOf(found: Found, backend: string): Map<string, Kept> {
  if (found.kind !== 'haproxy')
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `was ${found.kind} when it was recorded` });
  return new Map(found.servers.map((server) => [server.name, server]));
}

/** @throws DrError TRAFFIC_FAILED where the site has none, or the load balancer does not know one of them. */
function serversOf(
  { backend, servers }: HaproxyTraffic,
  site: string,
  states: readonly ServerState[],
): readonly string[] {
  const wanted = servers[site] ?? [];
  if (wanted.length === 0)
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `has no servers declared for ${site}` });
  const unknown = wanted.filter((name) => !states.some((server) => server.name === name));
  if (unknown.length > 0)
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `has no server ${unknown.join(', ')}` });
  return wanted;
}
