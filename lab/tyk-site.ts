import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { dashboardAlive } from '../adapters/tyk/dashboard.ts';
import { DrError } from '../domain/errors.ts';
import {
  GATEWAYS,
  localUrl,
  siteDir,
  sitePort,
  siteServices,
  type Lab,
  type SiteName,
  type SiteServiceName,
} from './layout.ts';
import { declareService, nodeProgram, start } from './services.ts';
import { startMongo } from './mongodb.ts';
import { startPostgres } from './stores.ts';

/** Dashboard, Gateways and Pump of a site: programs that read the configuration that lies in its trees. */

const DASHBOARD_TIMEOUT_MS = 30_000;

const main = (part: string): string => fileURLToPath(new URL(`./${part}/main.js`, import.meta.url));

/** Prints the version of a program, whether it runs or not. */
export function versionCommand(lab: Lab, part: 'dashboard' | 'gateway'): string[] {
  return [...tykProgram(lab, part), '--version'];
}

export function tykProgram(lab: Lab, part: 'dashboard' | 'gateway'): string[] {
  const real = part === 'gateway' ? lab.gatewayBinary : undefined;
  return real === undefined ? nodeProgram(main(part)) : [real];
}

export async function declareTyk(lab: Lab, site: SiteName): Promise<void> {
  const real = lab.gatewayBinary;
  const env: Record<string, string> =
    lab.gatewayDeafMs === undefined ? {} : { STAND_IN_DEAF_MS: String(lab.gatewayDeafMs) };
  const argvs: Readonly<Record<string, [string, ...string[]]>> = {
    dashboard: nodeProgram(
      main('dashboard'),
      '--conf',
      siteDir(lab, site, 'dashboard', 'tyk_analytics.conf'),
    ),
    ...Object.fromEntries(
      GATEWAYS.map((gateway) => {
        const conf = siteDir(lab, site, 'gateways', gateway, 'tyk.conf');
        return [
          gateway,
          real === undefined ? nodeProgram(main('gateway'), '--conf', conf) : [real, '--conf', conf],
        ];
      }),
    ),
    pump: nodeProgram(main('pump'), '--conf', siteDir(lab, site, 'pump', 'pump.conf')),
  };
  for (const service of siteServices(lab)) {
    const argv = argvs[service];
    if (argv) await declareService(lab, { name: `${site}-${service}`, site, argv, env });
  }
}

/** A Gateway that finds no Dashboard asks again only after five seconds: so it is started when there is one. */
export async function startTyk(
  lab: Lab,
  site: SiteName,
  without: readonly SiteServiceName[] = [],
): Promise<void> {
  for (const service of siteServices(lab).filter((each) => !without.includes(each))) {
    if (service === 'postgres') await startPostgres(lab, site);
    else if (service === 'mongodb') await startMongo(lab, site);
    else await start(lab, `${site}-${service}`);
    if (service === 'dashboard') await awaitDashboard(lab, site);
  }
}

async function awaitDashboard(lab: Lab, site: SiteName): Promise<void> {
  const url = localUrl(sitePort(lab, site, 'dashboard'));
  const deadline = Date.now() + DASHBOARD_TIMEOUT_MS;
  while (!(await dashboardAlive(url))) {
    if (Date.now() > deadline)
      throw new DrError('SERVICE_FAILED', {
        service: 'dashboard',
        site,
        action: 'answer /hello with ok',
        reason: url,
      });
    await sleep(50);
  }
}
