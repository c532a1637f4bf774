import { setTimeout as sleep } from 'node:timers/promises';
import { runBeacon, type BeaconOptions } from '../activities/beacon.ts';
import { keepAudit } from '../activities/ship-audit.ts';
import { measureHost } from '../activities/measure.ts';
import { markedStores } from '../activities/watermarks.ts';
import { keepExposure } from '../adapters/beacon/exposure.ts';
import { keepLook, lookAtHost } from '../adapters/host/look.ts';
import { journalFolders } from '../adapters/beacon/files.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { knownSite } from '../domain/known-site.ts';
import { rpoOf } from '../domain/objectives.ts';
import { standings } from '../domain/standing.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { everyWorker } from '../runbooks/workers.ts';
import { wire } from './wire.ts';

/** The beacons of a worker: one for each site of a deployment with a beacon whose stores it serves. */

interface Beacons {
  /** Ends when every beacon has let go. */
  stop(): Promise<void>;
}

export function startBeacons(
  config: Config,
  worker: string,
  version: string,
  say: (text: string) => void,
): Beacons {
  const { deps } = wire(config, worker, version);
  const end = new AbortController();
  const running = Object.entries(config.deployments).flatMap(([deployment, { beacon, sites }]) =>
    Object.entries(sites).flatMap(([siteName, site]) => {
      if (!beacon) return [];
      const tell = (text: string): void => say(`beacon of ${deployment} ${text}`);
      const options = { deps, deployment, siteName, worker, say: tell, signal: end.signal };
      const audit = keepAudit(options).catch((error: unknown) =>
        tell(`no longer keeps the audit log: ${String(error)}`),
      );
      if (markedStores(site, worker).length === 0) return [audit];
      // Whatever befalls them, the worker goes on: it is what recovers.
      return [
        audit,
        runBeacon(options).catch((error: unknown) => tell(`has ended: ${String(error)}`)),
        keepLooking(options).catch((error: unknown) =>
          tell(`no longer looks at the exposure: ${String(error)}`),
        ),
      ];
    }),
  );
  const looking = keepLookingAtHost(config, worker, end.signal).catch((error: unknown) =>
    say(`no longer looks at its host: ${String(error)}`),
  );
  return {
    async stop() {
      end.abort();
      await Promise.all([...running, looking]);
    },
  };
}

/** How much would be lost now, again and again: the worst of it is what `status` and reports tell later. */
async function keepLooking({ deps, deployment, siteName, signal }: BeaconOptions): Promise<void> {
  const section = deps.deployment(deployment);
  const rpoMs = rpoOf(section);
  for (let waitMs = FIRST_LOOK_MS; !signal.aborted; waitMs = LOOK_EVERY_MS) {
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const figures = await measureHost(deps, deployment, siteName);
    if (!figures.live) continue;
    const stores = standings([figures], figures.serves, rpoMs).filter(({ store }) => store !== 'config');
    const sample = {
      ...{ at: figures.measuredAt, site: siteName },
      stores: Object.fromEntries(stores.map(({ store, exposureMs }) => [store, exposureMs ?? null])),
    };
    for (const folder of journalFolders(section, deployment))
      await keepExposure(folder, deps.worker, sample).catch(() => undefined);
  }
}

/** Once an hour, for the review: a component that nobody has declared is backed up by nobody. */
async function keepLookingAtHost(config: Config, worker: string, signal: AbortSignal): Promise<void> {
  const own = Object.entries(config.deployments).filter(([, { beacon }]) => beacon);
  for (let waitMs = FIRST_LOOK_MS; own.length > 0; waitMs = HOST_LOOK_EVERY_MS) {
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const look = await lookAtHost(config, worker, Date.now());
    for (const [name, { backup }] of own)
      if (Object.values(shapeOf(name, config.deployments[name]!).sites).flatMap(everyWorker).includes(worker))
        await keepLook(backup, name, look).catch(() => undefined);
  }
}

const HOST_LOOK_EVERY_MS = 3_600_000;

/** A host that has just started has other things to do. */
const FIRST_LOOK_MS = 20_000;
const LOOK_EVERY_MS = 5 * 60_000;

/**
 * The beacon by hand, for a site whose worker does not run: every store of it, until SIGTERM or Ctrl-C.
 *
 * @throws DrError BAD_ARGUMENT where the deployment has no beacon, UNKNOWN_SITE
 */
export async function runBeaconHere(
  config: Config,
  deployment: string,
  siteName: string | undefined,
  version: string,
): Promise<void> {
  const { deps } = wire(config, 'beacon', version);
  const { beacon, sites } = deps.deployment(deployment);
  if (!beacon)
    throw new DrError('BAD_ARGUMENT', {
      argument: 'DEPLOYMENT',
      value: deployment,
      expected: 'one with a section beacon in the configuration',
    });
  const names = siteName === undefined ? Object.keys(sites) : [siteName];
  for (const name of names) knownSite(deployment, sites, name);
  const end = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end.abort());
  await Promise.all(
    names.map((name) =>
      runBeacon({
        ...{ deps, deployment, siteName: name, signal: end.signal },
        say: (text) => void process.stderr.write(`beacon of ${deployment} (${name}) ${text}\n`),
      }),
    ),
  );
}
