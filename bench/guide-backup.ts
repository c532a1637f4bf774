import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/process/run.ts';
import { readKey } from '../lab/keys.ts';
import { GATEWAYS, siteDir, sitePort, type Lab } from '../lab/layout.ts';

/** The backup that the guide's recovery needs, taken by the guide's own commands from the same data. Not timed. */

const TIMEOUT_MS = 3_600_000;

export const guideBackupDir = (lab: Lab): string => join(lab.dir, 'bench', 'guide-backup');

export async function backUpByGuide(lab: Lab): Promise<void> {
  const folder = guideBackupDir(lab);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const site = siteDir(lab, 'primary');
  const script = [
    'set -eu',
    // The configured save points may have a background save under way, beside which SAVE is refused.
    'until redis-cli -p "$REDIS_PORT" SAVE | grep -q OK; do sleep 0.2; done',
    'cp "$SITE/redis/data/dump.rdb" redis.rdb',
    'pg_dump -U postgres tyk_analytics > postgres.sql',
    'tar -czf gateway-config.tar.gz -C "$SITE" gateways pump',
    'cp "$SITE/dashboard/tyk_analytics.conf" tyk_analytics.conf',
    'tar -czf portal.tar.gz -C "$SITE" dashboard/portal dashboard/certs',
  ];
  await run(['/bin/bash', '-c', script.join('\n')], {
    cwd: folder,
    timeoutMs: TIMEOUT_MS,
    env: {
      SITE: site,
      REDIS_PORT: String(sitePort(lab, 'primary', 'redis')),
      REDISCLI_AUTH: await readKey(lab, 'primary-redis-password'),
      PGHOST: '127.0.0.1',
      PGPORT: String(sitePort(lab, 'primary', 'postgres')),
      PGPASSWORD: await readKey(lab, 'postgres-admin-password'),
    },
  });
  await writeFile(join(folder, 'reconfigure.sed'), await reconfigure(lab));
}

/** From the source's ports, passwords and folders to the target's. */
async function reconfigure(lab: Lab): Promise<string> {
  const ports = ['redis', 'postgres', 'dashboard', 'pump', ...GATEWAYS] as const;
  const [from, to] = await Promise.all([
    readKey(lab, 'primary-redis-password'),
    readKey(lab, 'dr-redis-password'),
  ]);
  return [
    ...ports.map((port) => `s/\\b${sitePort(lab, 'primary', port)}\\b/${sitePort(lab, 'dr', port)}/g`),
    `s/${from}/${to}/g`,
    `s#${siteDir(lab, 'primary')}/#${siteDir(lab, 'dr')}/#g`,
    '',
  ].join('\n');
}
