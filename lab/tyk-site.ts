import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { withClient as withPostgres } from '../adapters/postgres/client.ts';
import { Secret } from '../domain/secret.ts';
import { createSchema } from './dashboard/schema.ts';
import { writeConfig } from './config-file.ts';
import { writeConfigTrees } from './seed/config-trees.ts';
import { seedDatabase } from './seed/database.ts';
import { makeApis, makePolicies, ORGANISATIONS, SCALES } from './seed/definitions.ts';
import { seedDashboardKey, seedKeys } from './seed/keys.ts';
import { stableId } from './seed/random.ts';
import {
  GATEWAYS,
  keyFile,
  localUrl,
  outside,
  siteDir,
  sitePort,
  type Lab,
  type SiteName,
} from './layout.ts';
import { readKey } from './keys.ts';
import { declareService, nodeProgram, start } from './services.ts';

/** Dashboard, Gateways and Pump of a site, and the data that they serve. */

const SEED = 42;

/** The programs of a site read the configuration that lies in its tree: installed by hand, or restored. */
export async function declareTyk(lab: Lab, site: SiteName): Promise<void> {
  const main = (part: string): string => fileURLToPath(new URL(`./${part}/main.js`, import.meta.url));
  const real = process.env['TYK_GATEWAY_BIN'];
  await declareService(lab, {
    name: `${site}-dashboard`,
    site,
    argv: nodeProgram(main('dashboard'), '--conf', siteDir(lab, site, 'dashboard', 'tyk_analytics.conf')),
  });
  for (const gateway of GATEWAYS) {
    const conf = siteDir(lab, site, 'gateways', gateway, 'tyk.conf');
    await declareService(lab, {
      name: `${site}-${gateway}`,
      site,
      argv: real === undefined ? nodeProgram(main('gateway'), '--conf', conf) : [real, '--conf', conf],
    });
  }
  await declareService(lab, {
    name: `${site}-pump`,
    site,
    argv: nodeProgram(main('pump'), '--conf', siteDir(lab, site, 'pump', 'pump.conf')),
  });
}

export async function startTyk(lab: Lab, site: SiteName): Promise<void> {
  for (const part of ['dashboard', ...GATEWAYS, 'pump']) await start(lab, `${site}-${part}`);
}

/** Data, configuration trees and the tyk-dr.yaml that points at all of it. */
export async function seedPrimary(lab: Lab, options: { readonly scale: keyof typeof SCALES }): Promise<void> {
  const scale = SCALES[options.scale];
  const apis = makeApis(SEED, scale, localUrl(lab.ports.upstream));
  const policies = makePolicies(SEED, scale, apis);
  const accessKey = stableId(SEED, 'dashboard access key', 32);
  const postgres = {
    host: '127.0.0.1',
    port: sitePort(lab, 'primary', 'postgres'),
    user: 'tyk',
    database: 'tyk_analytics',
    password: new Secret(await readKey(lab, 'postgres-tyk-password')),
  };
  const redis = {
    port: sitePort(lab, 'primary', 'redis'),
    password: new Secret(await readKey(lab, 'primary-redis-password')),
  };
  const [, keys] = await Promise.all([
    withPostgres(postgres, async (client) => {
      await createSchema(client);
      await client.query(
        'CREATE TABLE IF NOT EXISTS lab_journal (seq bigint PRIMARY KEY, at timestamptz NOT NULL)',
      );
      await seedDatabase(client, SEED, scale, apis, policies, accessKey);
    }),
    withRedis(redis, async (client) => {
      await seedDashboardKey(client, accessKey, {
        id: stableId(SEED, 'user', 24),
        orgId: ORGANISATIONS[0],
        email: 'platform@example.org',
      });
      return seedKeys(client, SEED, scale, apis, policies);
    }),
  ]);
  await writeConfigTrees(lab, 'primary');
  const files: Record<string, string> = { ...keys, dashboard: accessKey };
  for (const [name, key] of Object.entries(files))
    await writeFile(keyFile(lab, `probe-${name}`), `${key}\n`, { mode: 0o600 });
  await writeConfig(lab, {
    organisation: ORGANISATIONS[0],
    keylessPath: '/api-0/',
    keyedPath: '/api-1/',
    quotaPath: '/api-1/',
    rateLimitPath: '/api-1/',
    keys: {
      good: 'probe-good',
      wrong: 'probe-wrong',
      expired: 'probe-expired',
      quota: 'probe-quota',
      rate: 'probe-rate',
      dashboard: 'probe-dashboard',
    },
  });
  await writeFile(
    outside(lab, 'witness', 'plan.json'),
    JSON.stringify({
      requests: [
        { path: '/api-0/', key: null, weight: 1 },
        { path: '/api-1/', key: `file:${keyFile(lab, 'probe-good')}`, weight: 1 },
      ],
    }),
  );
}
