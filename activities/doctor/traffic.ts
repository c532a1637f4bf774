import { doubtful, fine, wrong, type Finding } from '../../domain/doctor.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import { TIER_DEFAULTS } from '../../domain/objectives.ts';
import { serves } from '../site.ts';
import { driverOf } from '../traffic/choose.ts';
import type { Host } from './host.ts';

/** Clients that keep an old address are clients that the site does not have: that is part of the outage. */
const MOST_OF_RTO = 0.1;

/** Whether this worker could point the clients at this site. */
export async function checkTraffic(host: Host): Promise<Finding[]> {
  const { deployment, site, siteName, worker, where, signal, secret } = host;
  const { traffic, drill } = deployment;
  if (!traffic || !serves(worker, site, traffic) || siteName === drill?.site) return [];
  const driver = driverOf(deployment, { run: 'doctor', signal, secret })!;
  try {
    const [found] = await driver.check(siteName);
    const can = `${driver.name}: ${found!.name} (${found!.actual})`;
    const late = tooLate(host);
    return [fine('traffic', where, can), ...(late === undefined ? [] : [doubtful('traffic', where, late)])];
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return [wrong('traffic', where, error.message)];
  }
}

function tooLate({ deployment: { traffic, objectives, tier } }: Host): string | undefined {
  const rtoMs = objectives.rto ?? TIER_DEFAULTS[tier].rtoMs;
  if (traffic?.kind !== 'dns' || traffic.ttl <= rtoMs * MOST_OF_RTO) return undefined;
  return `clients may keep an old record for ${formatDuration(traffic.ttl)} (ttl), more than a tenth of the RTO of ${formatDuration(rtoMs)}`;
}
