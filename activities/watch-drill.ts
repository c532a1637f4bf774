import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchConnections } from '../adapters/host/sockets.ts';
import { gatewayHello } from '../adapters/tyk/gateway.ts';
import { addressesOf } from '../domain/addresses.ts';
import type { Deployment, Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { sameHost } from '../domain/same-host.ts';
import { guarded, guardedLook, type Call, type Deps, type LiveCall } from './guard.ts';
import { addressesOn, gatewaysOn, serves, treesOn } from './site.ts';

/**
 * What watches a drill from its first step to its last. Both end only when they are cancelled, or when the drill must
 * end: because the live site is in trouble, or because something of the drill has found its way to it.
 */

const LOOK_EVERY_MS = 1_000;
/** A connection that is refused or closed at once lives no longer than some of these. */
const AUDIT_EVERY_MS = 200;

export function createWatchDrillActivities(deps: Deps) {
  return {
    'watch-live': guardedLook(deps, watchLive),
    'audit-isolation': guarded(deps, 'probe', auditIsolation),
  };
}

/** @throws DrError DRILL_HALTED */
async function watchLive(call: LiveCall): Promise<StepResult> {
  const { deployment, signal } = call;
  const { halt } = deployment.drill!;
  let troubleSinceMs: number | undefined;
  // Trouble from before the drill is none of its making, and no moment for one.
  for (let looks = 0; ; looks += 1) {
    const trouble = await troubleOf(call);
    if (trouble === undefined) troubleSinceMs = undefined;
    else troubleSinceMs ??= Date.now();
    if (trouble !== undefined && Date.now() - troubleSinceMs! >= (looks === 0 ? 0 : halt.patience))
      throw new DrError('DRILL_HALTED', { what: trouble });
    call.progress(trouble ?? `${looks + 1} looks, all well`);
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function troubleOf({ worker, deployment, live, input }: LiveCall): Promise<string | undefined> {
  const { halt } = deployment.drill!;
  const site = input.plan.from;
  const slow = await Promise.all(
    gatewaysOn(worker, live).map(async ({ name, url }) => {
      const startedAt = performance.now();
      const hello = await gatewayHello(url);
      const took = Math.round(performance.now() - startedAt);
      if (!hello) return `gateway ${name} of ${site} does not answer /hello`;
      const failing = Object.entries(hello.details).find(([, status]) => status === 'fail');
      if (failing) return `gateway ${name} of ${site} says that ${failing[0]} fails`;
      return took > halt.latency ? `gateway ${name} of ${site} took ${took} ms for /hello` : undefined;
    }),
  );
  const stores = [live.redis, live.database].filter((store) => serves(worker, live, store));
  const full = await Promise.all(
    stores.map(async (store) => {
      if (store?.dataDir === undefined) return undefined;
      const { bavail, blocks } = await statfs(store.dataDir);
      const percent = (100 * bavail) / blocks;
      return percent < halt.diskFreePercent
        ? `${percent.toFixed(1)} % of the disk of ${store.dataDir} are free`
        : undefined;
    }),
  );
  return [...slow, ...full].find((trouble) => trouble !== undefined);
}

/**
 * Looks again and again to whom the programs of the drill's site are connected. What tyk-dr itself does is refused on
 * the way (`adapters/host/isolation.ts`); a Gateway, Dashboard or Pump is a program of its own.
 *
 * @throws DrError DRILL_LEAVES_ISOLATION
 */
async function auditIsolation(call: Call): Promise<StepResult> {
  const { worker, deployment, target, input, signal } = call;
  const live = await liveAddresses(deployment, input.plan.to);
  const own = addressesOn(worker, input.plan.to, target);
  const nameOf = new Map(own.map(({ name, port }) => [port, name]));
  const watched = { ports: [...nameOf.keys()], folders: foldersOn(worker, target) };
  const look = watchConnections(watched, ({ ip, port }) => live.has(`${ip}:${port}`));
  for (let audits = 1; ; audits += 1) {
    const [crossed] = await look();
    if (crossed) {
      const { pid, port, to } = crossed;
      const what = port === undefined ? `a program in its folders (pid ${pid})` : nameOf.get(port)!;
      throw new DrError('DRILL_LEAVES_ISOLATION', { what, address: live.get(`${to.ip}:${to.port}`)! });
    }
    call.progress(`${audits} audits, nothing leads out`);
    await sleep(AUDIT_EVERY_MS, undefined, { signal });
  }
}

/** Where the programs of a site lie on this host: one that does not listen, or not yet, is known by them. */
function foldersOn(worker: string, site: Site): string[] {
  const stores = [site.redis, site.database].filter((store) => serves(worker, site, store));
  const data = stores.flatMap((store) => store?.dataDir ?? []);
  return [...data, ...treesOn(worker, site).map(({ root }) => root)];
}

/** By address and port, what it is of the live sites. */
async function liveAddresses({ sites, traffic }: Deployment, drill: string): Promise<Map<string, string>> {
  const all = Object.entries(sites)
    .filter(([name]) => name !== drill)
    .flatMap(([site, other]) => addressesOf(other).map((address) => ({ ...address, site })));
  const outside = traffic ? new URL(traffic.url) : undefined;
  const named = [
    ...all.map(({ host, port, name, site }) => ({
      host,
      port,
      name: `${name} of ${site} at ${host}:${port}`,
    })),
    ...(outside
      ? [{ host: outside.hostname, port: Number(outside.port), name: `the clients' address ${outside.host}` }]
      : []),
  ];
  const places = new Map<string, string>();
  for (const { host, port, name } of named)
    for (const ip of await ipsOf(host)) places.set(`${ip}:${port}`, name);
  return places;
}

/** One that means this host is reached by each of its addresses. */
async function ipsOf(host: string): Promise<string[]> {
  const bare = host.replace(/^\[|\]$/g, '');
  const resolved = (await lookup(bare, { all: true }).catch(() => [])).map(({ address }) => address);
  const mine = Object.values(networkInterfaces()).flatMap(
    (each) => each?.map(({ address }) => address) ?? [],
  );
  const isMine = sameHost(host) === 'this host' || resolved.some((ip) => mine.includes(ip));
  return [...new Set([...resolved, ...(isMine ? [...mine, '127.0.0.1'] : [])])];
}
