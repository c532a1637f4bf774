import type { Deployment, Site } from '../../domain/config.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';
import type { Finding } from '../../domain/doctor.ts';
import { readConf, type ConfFile } from '../conf-file.ts';
import { gatewaysOn, serves } from '../site.ts';
import type { JsonObject } from '../../domain/tyk-conf.ts';

/** One site as one of its workers sees it: what every check of the doctor gets. */
export interface Host {
  readonly worker: string;
  readonly deploymentName: string;
  readonly deployment: Deployment;
  readonly siteName: string;
  readonly site: Site;
  /** `primary`, or `primary (worker pg1)` where the site has several. */
  readonly where: string;
  /** Its stores run and it is not fenced. */
  readonly live: boolean;
  readonly nonce: string;
  readonly signal: AbortSignal;
  secret(reference: SecretRef): Promise<Secret>;
}

export type Check = (host: Host) => Promise<readonly Finding[]>;

export interface TykConf {
  /** `dashboard`, `gateway gw1`. */
  readonly name: string;
  readonly component: 'dashboard' | 'gateway';
  readonly tree: ConfFile;
  readonly url: string;
  /** Undefined where there is no file yet: a spare site gets it with the recovery. */
  readonly conf: JsonObject | undefined;
}

/** The configurations of Dashboard and Gateways on this host. @throws where a file is there and cannot be read as JSON. */
export async function tykConfs({ worker, site }: Host): Promise<TykConf[]> {
  const { dashboard } = site;
  const all = [
    ...(dashboard && serves(worker, site, dashboard)
      ? [{ name: 'dashboard', component: 'dashboard' as const, tree: dashboard, url: dashboard.url }]
      : []),
    ...gatewaysOn(worker, site).map((gateway) => ({
      name: `gateway ${gateway.name}`,
      component: 'gateway' as const,
      tree: gateway,
      url: gateway.url,
    })),
  ];
  return Promise.all(
    all.map(async (each) => {
      const conf = await readConf(each.tree).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      return { ...each, conf };
    }),
  );
}
