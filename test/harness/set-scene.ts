import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartResult } from '../../domain/backup.ts';
import type { StepResult } from '../../domain/run.ts';
import { withClient } from '../../adapters/postgres/client.ts';
import { callActivity } from './activity.ts';
import { backupStepOf, writeDeployment, type TestDeployment } from './deployment.ts';
import { PASSPHRASE, startTestCluster, type TestCluster } from './postgres.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from './redis.ts';

/** Real stores, and real sets of them made by the activities of a worker. */

export interface SetScene extends TestDeployment {
  readonly cluster: TestCluster;
  readonly redis: TestRedis;
  readonly close: () => Promise<void>;
}

export async function startSetScene(): Promise<SetScene> {
  const [cluster, redis] = await Promise.all([startTestCluster(), startTestRedis()]);
  const { dir } = cluster;
  await writeFile(join(dir, 'redis-password'), REDIS_PASSWORD.reveal(), { mode: 0o600 });
  const { repository, stanza } = cluster.repository;
  const deployment = await writeDeployment(dir, {
    // Over its socket, where the cluster trusts us.
    database: { ...cluster.config, host: join(dir, 'run') },
    pgbackrest: { repository, stanza, passphrase: PASSPHRASE },
    redis: {
      port: redis.endpoint.port,
      dataDir: redis.dataDir,
      password: `file:${join(dir, 'redis-password')}`,
    },
  });
  await mkdir(join(dir, 'dr', 'gw1'), { recursive: true });
  await writeFile(join(dir, 'dr', 'gw1', 'tyk.conf'), '{"listen_port": 1}\n');
  // What the Dashboard serves from: the configuration of a set holds it as readable definitions.
  await withClient(cluster.admin, (client) => client.query(TABLES));
  const close = async (): Promise<void> => {
    await Promise.all([cluster.close(), redis.close()]);
  };
  return { ...deployment, cluster, redis, close };
}

/** What the Dashboard's definitions are read from. */
export const TABLES = `
  CREATE TABLE tyk_apis (id text PRIMARY KEY, api_id text, api_definition jsonb, oas jsonb);
  CREATE TABLE tyk_policies (id text PRIMARY KEY, policy jsonb)`;

/** One step of a backup. @throws what it failed with, as `CODE: message`. */
export async function backupStep<T extends StepResult>(
  scene: TestDeployment,
  step: string,
  set: string,
  more: readonly unknown[] = [],
): Promise<T> {
  const input = backupStepOf(scene, step, set);
  const { result, error } = await callActivity({
    configFile: scene.configFile,
    activity: step,
    input,
    more,
  });
  if (error) throw new Error(`${error.code}: ${error.message}`);
  return result as T;
}

const PARTS = ['back-up-database', 'back-up-redis', 'back-up-config'];

/** A set, as the workflow makes it; whole unless only some parts are asked for. */
export async function makeWholeSet(scene: TestDeployment, set: string, steps = PARTS): Promise<void> {
  const parts = await Promise.all(steps.map((step) => backupStep<PartResult>(scene, step, set)));
  await backupStep(scene, 'seal-set', set, [parts, new Date().toISOString()]);
}
