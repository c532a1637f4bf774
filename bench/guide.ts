import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/process/run.ts';
import { waitReady as redisReady } from '../adapters/redis/client.ts';
import { configFile, localUrl, siteDir, sitePort, type Lab } from '../lab/layout.ts';
import { readKey } from '../lab/keys.ts';
import { serviceScript, start } from '../lab/services.ts';
import { declareRedis, initPostgres } from '../lab/stores.ts';
import { createDatabase } from '../lab/found.ts';
import { RESTORE_DATA, START_TYK } from './guide-script.ts';
import { guideBackupDir } from './guide-backup.ts';
import { sameProofs } from './same-proofs.ts';
import { redisOf } from '../lab/connections.ts';
import { requireComplete, type Truth } from './truth.ts';

/** (a): the guide's own commands; beside that, with the proofs that `tyk-dr recover` makes at the same points. */

export interface GuideRun {
  /** From the first command to the last row and key served. */
  readonly dataMs: number;
  /** From the first command to traffic proven, with the same proofs as `tyk-dr recover`. */
  readonly verifiedMs: number;
  readonly partsMs: Readonly<Record<string, number>>;
  readonly healthStatus: string;
}

/** However large the data: this only ends what hangs. */
const SCRIPT_TIMEOUT_MS = 3_600_000;
const READY_TIMEOUT_MS = 30_000;

/** As the packages leave it: both servers run and are empty, the database and its user exist. Not timed. */
export async function deployEmptyStores(lab: Lab): Promise<void> {
  await declareRedis(lab, 'dr');
  await mkdir(siteDir(lab, 'dr', 'state'), { recursive: true });
  await start(lab, 'dr-redis');
  await initPostgres(lab, 'dr');
  // The guide archives nothing; a failing archive_command of the lab would only slow its restore down.
  await appendFile(siteDir(lab, 'dr', 'postgres', 'data', 'postgresql.auto.conf'), 'archive_mode = off\n');
  await start(lab, 'dr-postgres');
  await createDatabase(lab, 'dr');
  (await redisReady(await redisOf(lab, 'dr'), READY_TIMEOUT_MS)).disconnect();
}

export async function recoverByGuide(lab: Lab, truth: Truth): Promise<GuideRun> {
  const out = join(lab.dir, 'bench', 'guide-run');
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const proofs = await sameProofs(configFile(lab), lab.deployment);
  await runScript(lab, out, RESTORE_DATA);
  await requireComplete(lab, truth);
  const dataProofsMs = await proofs.ofData();
  await runScript(lab, out, START_TYK);
  const serviceProofsMs = await proofs.ofService();
  const at = await readMarks(join(out, 'marks'));
  const restoreMs = at['data restored']!;
  const startMs = at['gateways started']! - at['tyk begins']!;
  return {
    dataMs: restoreMs,
    verifiedMs: restoreMs + dataProofsMs + startMs + serviceProofsMs,
    partsMs: {
      redis: at['redis restored']!,
      data: restoreMs,
      dataProofs: dataProofsMs,
      tyk: startMs,
      serviceProofs: serviceProofsMs,
    },
    healthStatus: await readFile(join(out, 'api-health'), 'utf8'),
  };
}

async function runScript(lab: Lab, out: string, text: string): Promise<void> {
  const script = join(out, 'guide.sh');
  await writeFile(script, text, { mode: 0o700 });
  await run(['/bin/bash', script], {
    timeoutMs: SCRIPT_TIMEOUT_MS,
    env: {
      SERVICE: serviceScript(lab),
      BACKUP: guideBackupDir(lab),
      SITE: siteDir(lab, 'dr'),
      OUT: out,
      REDIS_DIR: siteDir(lab, 'dr', 'redis', 'data'),
      REDIS_CONF: siteDir(lab, 'dr', 'redis', 'redis.conf'),
      REDIS_OWNER: `${process.getuid!()}:${process.getgid!()}`,
      REDIS_PORT: String(sitePort(lab, 'dr', 'redis')),
      REDISCLI_AUTH: await readKey(lab, 'dr-redis-password'),
      PGHOST: '127.0.0.1',
      PGPORT: String(sitePort(lab, 'dr', 'postgres')),
      PGPASSWORD: await readKey(lab, 'postgres-admin-password'),
      DASHBOARD: localUrl(sitePort(lab, 'dr', 'dashboard')),
      GATEWAY: localUrl(sitePort(lab, 'dr', 'gw1')),
    },
  });
}

/** Milliseconds since the first mark, by name. */
async function readMarks(file: string): Promise<Record<string, number>> {
  const marks = (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split('\t') as [string, string]);
  const first = Number(marks[0]![0]);
  return Object.fromEntries(marks.slice(1).map(([at, name]) => [name, Number(at) - first]));
}
