import { parse, stringify } from 'yaml';
import { parseConfig } from '../../adapters/config/load.ts';
import { readScriptParts } from '../../adapters/runbook/script-parts.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { runbookBundle, type Bundle } from '../../report/runbook/bundle.ts';
import { PART_NAMES } from '../../report/runbook/script.ts';

/** The example of `tyk-dr init`, loosely typed, so that a test may change anything in it. */
export interface RawDeployment {
  readonly sites: Record<'london' | 'paris', RawSite>;
  traffic?: { backend?: string };
  readonly backup: Record<string, unknown>;
  organisation: string;
  probes: object[];
  contacts?: object[];
  vendorSupport?: object[];
}

interface RawSite {
  stateDir: string;
  redis: object;
  database: object;
  gateways: { include: string[]; worker?: string }[];
}

/** What `tyk-dr export` would write of it. */
export async function exportedExample(
  change: (deployment: RawDeployment) => void = () => undefined,
): Promise<Bundle> {
  const config = parse(EXAMPLE, { merge: true }) as { deployments: Record<string, RawDeployment> };
  change(config.deployments['payments']!);
  const deployment = parseConfig(stringify(config), 'tyk-dr.yaml').deployments['payments']!;
  return runbookBundle({
    ...{ name: 'payments', deployment, version: '1', writtenAt: '2026-01-01T00:00:00.000Z' },
    ...{ configDigest: 'c'.repeat(64), digestOf: () => 'p'.repeat(64) },
    parts: await readScriptParts(PART_NAMES),
  });
}

/** Deployments whose scripts are made of different parts; by name. */
export const EXPORTED_VARIANTS: Readonly<Record<string, (deployment: RawDeployment) => void>> = {
  'files and pgBackRest': () => undefined,
  'a managed Redis and a dump, copies, no load balancer': (deployment) => {
    for (const site of Object.values(deployment.sites)) {
      site.redis = { host: 'redis.example', port: 6380, method: 'commands', tls: {} };
      site.database = {
        ...{ kind: 'postgresql', method: 'dump', host: 'db.example', port: 5432, user: 'tyk' },
        password: 'env:TYK_DB',
      };
    }
    delete deployment.backup['pgbackrest'];
    delete deployment.traffic;
    const options = { host: 'vault.example', pass: 'env:VAULT' };
    deployment.backup['copies'] = [
      { name: 'vault', remote: { type: 'sftp', path: '/srv/x', options } },
      { name: 'cloud', remote: 'cloud:bucket' },
    ];
  },
  'clients led by a name': (deployment) => {
    Object.assign(deployment, {
      traffic: {
        ...{
          kind: 'dns',
          server: 'ns1.example.org',
          zone: 'example.org',
          name: 'api.example.org',
          type: 'A',
        },
        records: { london: ['192.0.2.1'], paris: ['192.0.2.2', '192.0.2.3'] },
        key: { name: 'tyk-dr', secret: 'file:/etc/tyk-dr/secrets/tsig' },
        url: 'https://api.example.org',
      },
    });
  },
  'clients led by a command': (deployment) => {
    Object.assign(deployment, {
      traffic: {
        ...{ kind: 'command', switch: ['/opt/switch'], status: ['/opt/status'], holdOut: ['/opt/hold'] },
        url: 'https://api.example.org',
      },
    });
  },
};
