import { requireArchiving } from '../../adapters/postgres/archiving.ts';
import { queryValue, withClient } from '../../adapters/postgres/client.ts';
import { withMasters } from '../../adapters/redis/shards.ts';
import { statusWithKey } from '../../adapters/tyk/dashboard.ts';
import { loadedPolicies } from '../../adapters/tyk/gateway.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import { doubtful, fine, wrong, type Finding } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { methodOf } from '../database/choose.ts';
import { adminConnection, redisStore, requireRepository } from '../endpoints.ts';
import { gatewaysOn, serves } from '../site.ts';
import type { Host } from './host.ts';

/** What runs at the site that serves: whether it takes our passwords, and is set up so that it can be recovered. */

export async function checkStores(host: Host): Promise<Finding[]> {
  if (!host.live) return [];
  const { worker, site, deployment, where } = host;
  const { redis, database, dashboard } = site;
  const found: Finding[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
      found.push(wrong('stores', where, `${what}: ${error.message}`));
    }
  };
  await Promise.all([
    attempt('Redis', async () => {
      if (redis && serves(worker, site, redis))
        await withMasters(await redisStore(redis, host.secret), ({ all }) =>
          Promise.all(all.map(({ client }) => client.ping())),
        );
    }),
    attempt('database', async () => {
      if (database && serves(worker, site, database)) await methodOf(database).ping(host);
    }),
    attempt('Dashboard', async () => {
      if (!dashboard || !serves(worker, site, dashboard)) return;
      const status = await statusWithKey(dashboard.url, (await host.secret(dashboard.accessKey)).reveal());
      if (status !== 200)
        found.push(wrong('stores', where, `the Dashboard answers ${status} to the configured accessKey`));
    }),
    ...gatewaysOn(worker, site).map((gateway) =>
      attempt(`gateway ${gateway.name}`, async () =>
        loadedPolicies(gateway.url, await host.secret(deployment.secrets.gateway)),
      ),
    ),
  ]);
  return found.length > 0
    ? found
    : [fine('stores', where, 'the stores and programs take the configured secrets')];
}

export async function checkArchiving(host: Host): Promise<Finding[]> {
  const { worker, site, deployment, where } = host;
  const config = clusterIfOurs(site);
  if (!host.live || !config || !serves(worker, site, config)) return [];
  const repository = requireRepository(deployment.backup);
  return withClient(await adminConnection(config, host.secret), async (client) => {
    await requireArchiving(client, { config, repository });
    const failing = await queryValue<string | null>(
      client,
      `SELECT last_failed_wal FROM pg_stat_archiver
       WHERE last_failed_time > coalesce(last_archived_time, '-infinity')`,
    );
    if (failing) return [wrong('archiving', where, `PostgreSQL fails to archive ${failing}`)];
    const timeout = await queryValue<string>(client, 'SHOW archive_timeout');
    if (timeout === '0')
      return [
        doubtful('archiving', where, 'archive_timeout is 0: a quiet database archives nothing for hours'),
      ];
    return [fine('archiving', where, `WAL goes to the repository, at least every ${timeout}`)];
  });
}

export async function checkChecksums(host: Host): Promise<Finding[]> {
  const { worker, site, where } = host;
  const config = clusterIfOurs(site);
  if (!host.live || !config || !serves(worker, site, config)) return [];
  return withClient(await adminConnection(config, host.secret), async (client) => {
    const found: Finding[] = [];
    if ((await queryValue<string>(client, 'SHOW data_checksums')) !== 'on')
      found.push(doubtful('checksums', where, 'data_checksums is off: damage of a page goes unnoticed'));
    const amcheck = await queryValue(client, `SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'`);
    if (amcheck === undefined)
      found.push(
        wrong('checksums', where, 'the extension amcheck is not installed: no set can be verified here'),
      );
    return found.length > 0 ? found : [fine('checksums', where, 'data checksums are on, amcheck is there')];
  });
}
