import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/process/run.ts';
import { readKey } from '../lab/keys.ts';
import { GATEWAYS, hasDatabase, siteDir, sitePort, type Lab } from '../lab/layout.ts';
import { mongoUrl } from '../lab/mongodb.ts';
import { bytesBelow } from './bytes-below.ts';

/** (a): the guide's own commands for a backup, which is also what its recovery begins from. */

const TIMEOUT_MS = 3_600_000;

export const guideBackupDir = (lab: Lab): string => join(lab.dir, 'bench', 'guide-backup');

export interface GuideBackup {
  /** From the first command to the end of the last. */
  readonly totalMs: number;
  /** Of each store's commands; together less than the total, for the files of Tyk come after them. */
  readonly redisMs: number;
  readonly databaseMs: number;
  readonly bytes: number;
  /** Set where the guide's command for the database is not on this machine. */
  readonly withoutDatabase?: string;
}

/** One after the other, as the guide has them. */
export async function backUpByGuide(lab: Lab): Promise<GuideBackup> {
  const folder = guideBackupDir(lab);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const mongo = hasDatabase(lab, 'mongodb');
  const missing = mongo && !(await isOnPath('mongodump')) ? 'mongodump is not on PATH' : undefined;
  const dump = mongo
    ? 'mongodump --quiet --uri="$MONGO_URL" --out=mongodb'
    : 'pg_dump -U postgres tyk_analytics > postgres.sql';
  const script = [
    'set -eu',
    'now() { date +%s%3N; }',
    'begun=$(now)',
    // The configured save points may have a background save under way, beside which SAVE is refused.
    'until redis-cli -p "$REDIS_PORT" SAVE | grep -q OK; do sleep 0.2; done',
    'cp "$SITE/redis/data/dump.rdb" redis.rdb',
    'redis=$(now)',
    missing === undefined ? dump : ':',
    'database=$(now)',
    'tar -czf gateway-config.tar.gz -C "$SITE" gateways pump',
    'cp "$SITE/dashboard/tyk_analytics.conf" tyk_analytics.conf',
    'tar -czf portal.tar.gz -C "$SITE" dashboard/portal dashboard/certs',
    'echo "$((redis - begun)) $((database - redis)) $(($(now) - begun))"',
  ];
  const { stdout } = await run(['/bin/bash', '-c', script.join('\n')], {
    cwd: folder,
    timeoutMs: TIMEOUT_MS,
    env: {
      SITE: siteDir(lab, 'primary'),
      REDIS_PORT: String(sitePort(lab, 'primary', 'redis')),
      REDISCLI_AUTH: await readKey(lab, 'primary-redis-password'),
      ...(mongo
        ? { MONGO_URL: mongoUrl(lab, 'primary') }
        : {
            PGHOST: '127.0.0.1',
            PGPORT: String(sitePort(lab, 'primary', 'postgres')),
            PGPASSWORD: await readKey(lab, 'postgres-admin-password'),
          }),
    },
  });
  const [redisMs, databaseMs, totalMs] = stdout.trim().split(' ').map(Number) as [number, number, number];
  const bytes = await bytesBelow(folder);
  await writeFile(join(folder, 'reconfigure.sed'), await reconfigure(lab));
  return {
    ...{ totalMs, redisMs, databaseMs, bytes },
    ...(missing === undefined ? {} : { withoutDatabase: missing }),
  };
}

async function isOnPath(program: string): Promise<boolean> {
  const { exitCode } = await run(['sh', '-c', 'command -v "$1"', 'sh', program], {
    allowedExitCodes: [1, 127],
  });
  return exitCode === 0;
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
