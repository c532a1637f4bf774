import { fileURLToPath } from 'node:url';
import { GATEWAYS, siteDir, siteServices, type Lab, type SiteName } from './layout.ts';
import { declareService, nodeProgram, start } from './services.ts';

/** Dashboard, Gateways and Pump of a site: programs that read the configuration that lies in its trees. */

export async function declareTyk(lab: Lab, site: SiteName): Promise<void> {
  const main = (part: string): string => fileURLToPath(new URL(`./${part}/main.js`, import.meta.url));
  const real = lab.gatewayBinary;
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
    if (argv) await declareService(lab, { name: `${site}-${service}`, site, argv });
  }
}

export async function startTyk(lab: Lab, site: SiteName): Promise<void> {
  for (const service of siteServices(lab)) await start(lab, `${site}-${service}`);
}
