import type { Proof } from '../../domain/run.ts';
import type { TrafficConfig } from '../../domain/config.ts';
import type { Call } from '../guard.ts';
import { runProbe } from '../probes.ts';
import type { TrafficDriver } from './driver.ts';

/** What of the probes can be asked at the outside address: the others need one Gateway, or count. */
const OUTSIDE: readonly string[] = ['api', 'known-key', 'wrong-key'];

/**
 * The deployment's client requests, at the clients' address; where a name leads there, at everything that it leads
 * to now, whatever this host's own resolver still remembers.
 */
export async function clientProofs(
  call: Pick<Call, 'secret' | 'deployment'>,
  { url }: TrafficConfig,
  driver: TrafficDriver,
): Promise<Proof[]> {
  const probes = call.deployment.probes.filter(({ proves }) => OUTSIDE.includes(proves));
  const doors = await driver.doors?.();
  if (!doors) return Promise.all(probes.map((probe) => runProbe(call, url, probe)));
  return Promise.all(
    doors.flatMap((door) =>
      probes.map(async (probe) => {
        const result = await runProbe(call, url, probe, door);
        return { ...result, name: `${result.name} at ${door}` };
      }),
    ),
  );
}
