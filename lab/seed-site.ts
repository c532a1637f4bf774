import { writeFile } from 'node:fs/promises';
import { withClient as withPostgres } from '../adapters/postgres/client.ts';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { writeConfig } from './config-file.ts';
import { hasDatabase, keyFile, localUrl, outside, type Lab, type SiteName } from './layout.ts';
import { writeConfigTrees } from './seed/config-trees.ts';
import { insertDefinitions, seedDatabase } from './seed/database.ts';
import { putDefinitions, seedMongo } from './seed/mongodb.ts';
import {
  makeApis,
  makePolicies,
  ORGANISATIONS,
  SCALES,
  type Definitions,
  type Scale,
} from './seed/definitions.ts';
import { seedDashboardKey, seedKeys } from './seed/keys.ts';
import { stableId } from './seed/random.ts';
import { redisOf, tykUserOf } from './connections.ts';
import { withMongo } from './mongodb.ts';

/** Everything that a site serves, from the lab's number: the same number gives the same data on every machine. */

/** Data, configuration trees and the tyk-dr.yaml that points at all of it. The stores run and are empty. */
export async function seedSite(lab: Lab, site: SiteName): Promise<void> {
  const { seed } = lab;
  const { scale, definitions } = seeded(lab);
  const accessKey = stableId(seed, 'dashboard access key', 32);
  const redis = await redisOf(lab, site);
  const [keys] = await Promise.all([
    withRedis(redis, async (client) => {
      if (lab.mode === 'dashboard')
        await seedDashboardKey(client, accessKey, {
          id: stableId(seed, 'user', 24),
          orgId: ORGANISATIONS[0],
          email: 'platform@example.org',
        });
      return seedKeys(client, seed, scale, definitions.apis, definitions.policies);
    }),
    ...(lab.mode === 'dashboard' ? [fillDatabase(lab, site, accessKey)] : []),
  ]);
  await writeConfigTrees(lab, site, definitions);
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
      revoked: 'probe-revoked',
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

async function fillDatabase(lab: Lab, site: SiteName, accessKey: string): Promise<void> {
  const { scale, definitions } = seeded(lab);
  if (hasDatabase(lab, 'mongodb'))
    return withMongo(lab, site, (db) => seedMongo(db, lab.seed, scale, definitions, accessKey));
  await withPostgres(await tykUserOf(lab, site), async (client) => {
    await client.query(
      'CREATE TABLE IF NOT EXISTS lab_journal (seq bigint PRIMARY KEY, at timestamptz NOT NULL)',
    );
    await seedDatabase(client, lab.seed, scale, definitions, accessKey);
  });
}

/** Puts every seeded API and policy back as it was; what was added since stays. */
export async function putDefinitionsBack(lab: Lab, site: SiteName): Promise<void> {
  const { definitions } = seeded(lab);
  if (hasDatabase(lab, 'mongodb')) return withMongo(lab, site, (db) => putDefinitions(db, definitions));
  await withPostgres(await tykUserOf(lab, site), (client) => insertDefinitions(client, definitions));
}

function seeded(lab: Lab): { scale: Scale; definitions: Definitions } {
  const scale = SCALES[lab.scale];
  const apis = makeApis(lab.seed, scale, localUrl(lab.ports.upstream));
  return { scale, definitions: { apis, policies: makePolicies(lab.seed, scale, apis) } };
}
