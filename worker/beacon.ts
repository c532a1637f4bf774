import { runBeacon } from '../activities/beacon.ts';
import { markedStores } from '../activities/watermarks.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
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
      if (!beacon || markedStores(site, worker).length === 0) return [];
      const tell = (text: string): void => say(`beacon of ${deployment} ${text}`);
      const options = { deps, deployment, siteName, worker, say: tell, signal: end.signal };
      // Whatever befalls it, the worker goes on: it is what recovers.
      return [runBeacon(options).catch((error: unknown) => tell(`has ended: ${String(error)}`))];
    }),
  );
  return {
    async stop() {
      end.abort();
      await Promise.all(running);
    },
  };
}

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
  const unknown = names.find((name) => !sites[name]);
  if (unknown !== undefined)
    throw new DrError('UNKNOWN_SITE', { deployment, site: unknown, known: Object.keys(sites).join(', ') });
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
