import { newestUsable, readManifest } from '../../adapters/backup/repository.ts';
import { installedVersion } from '../../adapters/service/version.ts';
import { checkMajorVersion, serverVersion } from '../../adapters/postgres/control.ts';
import { requireAtLeast, toolVersion } from '../../adapters/postgres/dump-restore.ts';
import { run } from '../../adapters/process/run.ts';
import { redisVersion, requireReads } from '../../adapters/redis/version.ts';
import { gatewayHello } from '../../adapters/tyk/gateway.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import { fine, wrong, type Finding, type InstalledVersion } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { requireTool, signingTools } from '../require-tool.ts';
import { gatewaysOn, serves } from '../site.ts';
import type { Host } from './host.ts';

/** Programs of the host, and whether they can read what the newest set holds. */

const ALWAYS = ['age', 'age-keygen', 'zstd', 'tar', 'flock', 'setpriv'];

export async function checkTools(host: Host): Promise<Finding[]> {
  const { worker, site, deployment, where } = host;
  const manifest = await newestManifest(host);
  const found: Finding[] = [];
  const versions: string[] = [];
  const tell = async (look: () => Promise<string | undefined>): Promise<void> => {
    try {
      versions.push((await look()) ?? '');
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
      found.push(wrong('tools', where, error.message));
    }
  };
  await Promise.all([
    ...[...ALWAYS, ...signingTools(deployment)].map((tool) =>
      tell(() => requireTool(tool, where).then(() => undefined)),
    ),
    tell(async () => {
      const { redis } = site;
      if (!redis || !serves(worker, site, redis)) return undefined;
      const version = await redisVersion(redis.binary);
      if (manifest?.redis) requireReads(version, manifest.redis.rdbVersion, manifest.redis.version);
      return `Redis ${version}`;
    }),
    tell(async () => {
      const database = clusterIfOurs(site);
      if (!database || !serves(worker, site, database)) return undefined;
      await requireTool('pgbackrest', where);
      const { stdout } = await run(['pgbackrest', 'version']);
      const version =
        manifest?.database?.method === 'pgbackrest'
          ? await checkMajorVersion(database.binDir, manifest.database.majorVersion)
          : await serverVersion(database.binDir);
      return `PostgreSQL ${version}, ${stdout.trim()}`;
    }),
    tell(async () => {
      const { database } = site;
      if (database?.method !== 'dump' || !serves(worker, site, database)) return undefined;
      const tools = ['pg_dump', 'pg_restore'] as const;
      const versions = await Promise.all(tools.map((tool) => toolVersion(database.binDir, tool)));
      if (manifest?.database?.method === 'dump')
        for (const [index, tool] of tools.entries())
          requireAtLeast(`${database.binDir}/${tool}`, versions[index]!, manifest.database);
      return tools.map((tool, index) => `${tool} ${versions[index]}`).join(', ');
    }),
  ]);
  if (found.length > 0) return found;
  return [fine('tools', where, [`${ALWAYS.join(', ')}`, ...versions.filter(Boolean).sort()].join('; '))];
}

/** Undefined where there is none, or none that can be read: other checks say so. */
async function newestManifest({ deployment, deploymentName }: Host): Promise<Manifest | undefined> {
  const set = await newestUsable(deployment.backup, deploymentName).catch(() => undefined);
  if (set === undefined) return undefined;
  return (await readManifest(deployment.backup, deploymentName, set)).manifest;
}

/** The versions of Tyk's programs, as they run or as they are installed. */
export async function versionsOf(host: Host): Promise<InstalledVersion[]> {
  const { worker, site } = host;
  const { dashboard } = site;
  const gateways = gatewaysOn(worker, site).map((gateway) => ({
    name: `gateway ${gateway.name}`,
    component: 'gateway',
    of: gateway,
    running: async () => (await gatewayHello(gateway.url))?.version,
  }));
  const all = [
    ...(dashboard && serves(worker, site, dashboard)
      ? [{ name: 'dashboard', component: 'dashboard', of: dashboard, running: async () => undefined }]
      : []),
    ...gateways,
  ];
  return Promise.all(
    all.map(async ({ name, component, of, running }) => {
      const version = (host.live ? await running() : undefined) ?? (await installedVersion(of));
      return { name, component, ...(version === undefined ? {} : { version }) };
    }),
  );
}
