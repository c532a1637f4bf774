import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient, waitReady } from '../adapters/redis/client.ts';
import { killSite } from '../lab/break.ts';
import { siteDir, type Lab } from '../lab/layout.ts';
import { resetSite } from '../lab/reset.ts';
import { start, stop } from '../lab/services.ts';
import { up } from '../lab/up.ts';
import { keepDataFiles } from './bare-limit.ts';
import { deployEmptyStores } from './guide.ts';
import { measureBackups, type MeasuredBackups } from './backup.ts';
import { guideBackupDir } from './guide-backup.ts';
import { redisOf } from '../lab/connections.ts';
import { readTruth, type Truth } from './truth.ts';
import { run } from '../adapters/process/run.ts';

/** One lab for all runs: the same seeded data, backed up by both, and then lost. */

export interface Scene extends MeasuredBackups {
  readonly truth: Truth;
  /** How many keys Redis serves after the guide's literal commands, appendonly left as the guide wants it. */
  readonly literalKeys: number;
}

export async function setScene(lab: Lab, runs: number, say: (text: string) => void): Promise<Scene> {
  const { idle, backups } = await backUpScene(lab, runs, say);
  const truth = await readTruth(lab, 'primary');
  await stop(lab, 'primary-postgres');
  await keepDataFiles(lab);
  await killSite(lab, 'primary');
  const literalKeys = await tryLiteralRedis(lab);
  return { truth, backups, idle, literalKeys };
}

/** The stores serve, and have been backed up by both. */
export async function backUpScene(
  lab: Lab,
  runs: number,
  say: (text: string) => void,
): Promise<MeasuredBackups> {
  await up(lab, say);
  await mkdir(join(lab.dir, 'bench'), { recursive: true });
  await silence(lab);
  return measureBackups(lab, runs, say);
}

/**
 * Nobody writes from here on, so that every backup is of the same data. The Pump empties the analytics first: the
 * guide would bring them back, and count them twice.
 */
export async function silence(lab: Lab): Promise<void> {
  for (const part of ['clients', 'primary-gw1', 'primary-gw2']) await stop(lab, part);
  await withClient(await redisOf(lab, 'primary'), async (client) => {
    const deadline = Date.now() + DRAIN_TIMEOUT_MS;
    while ((await client.keys('analytics-*')).length > 0 && Date.now() < deadline) await sleep(DRAIN_POLL_MS);
  });
  for (const part of ['primary-pump', 'primary-dashboard']) await stop(lab, part);
}

/** The lab's Pump comes every second. */
const DRAIN_TIMEOUT_MS = 30_000;
const DRAIN_POLL_MS = 100;

/** The guide's own Redis commands, to say in the output what they come to. */
async function tryLiteralRedis(lab: Lab): Promise<number> {
  await resetSite(lab, 'dr');
  await deployEmptyStores(lab);
  await stop(lab, 'dr-redis');
  await run(['cp', join(guideBackupDir(lab), 'redis.rdb'), siteDir(lab, 'dr', 'redis', 'data', 'dump.rdb')]);
  await start(lab, 'dr-redis');
  const endpoint = await redisOf(lab, 'dr');
  (await waitReady(endpoint, 600_000)).disconnect();
  return withClient(endpoint, (client) => client.dbsize());
}
