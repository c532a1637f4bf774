import { setTimeout as sleep } from 'node:timers/promises';
import { serverStates, type ServerState } from '../adapters/haproxy/runtime.ts';
import { readFence } from '../adapters/host/fence.ts';
import { haproxySocket, serverName } from './haproxy.ts';
import { GATEWAYS, siteDir, SITES, type Lab, type SiteName } from './layout.ts';

/** HAProxy opens its socket a moment after it was started. */
const SOCKET_TIMEOUT_MS = 10_000;

/** The one site that clients are sent to and that nobody has given up; else undefined, and why. */
export async function servingSite(lab: Lab): Promise<{ site?: SiteName; why: string }> {
  const states = await haproxyStates(lab);
  const ready = SITES.filter((site) =>
    GATEWAYS.some((gateway) =>
      states.some(({ name, admin }) => name === serverName(site, gateway) && admin !== 'maint'),
    ),
  );
  const [site] = ready;
  if (site === undefined || ready.length > 1)
    return { why: `clients are sent to ${ready.join(' and ') || 'no site'}` };
  const fence = await readFence(siteDir(lab, site, 'state'));
  if (fence === undefined) return { site, why: '' };
  return {
    why: `clients are sent to ${site}, which is fenced by ${fence}; rebuild it with tyk-dr recover ${lab.deployment} --to ${site} --in-place`,
  };
}

async function haproxyStates(lab: Lab): Promise<ServerState[]> {
  const deadline = Date.now() + SOCKET_TIMEOUT_MS;
  for (;;) {
    try {
      return await serverStates(haproxySocket(lab), 'gateways');
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
