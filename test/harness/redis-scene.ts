import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDeployment, type TestDeployment } from './deployment.ts';
import { REDIS_PASSWORD, type TestRedis } from './redis.ts';

/** A deployment whose one store is this Redis, restored by its files. */
export async function redisDeployment({
  dir,
  dataDir,
  configFile,
  endpoint,
}: TestRedis): Promise<TestDeployment> {
  const password = join(dir, 'password');
  await writeFile(password, REDIS_PASSWORD.reveal(), { mode: 0o600 });
  return writeDeployment(join(dir, 'config'), {
    redis: { port: endpoint.port, dataDir, configFile, password: `file:${password}` },
  });
}
