import type { BackupInput } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';
import { callStep, liveSite } from './backup.ts';

/** Ships what the log of Redis has grown by. Under an id of its own: a long backup must not hold it up. */
export async function shipRedisAof(input: BackupInput): Promise<StepResult> {
  const { site, redis } = await liveSite(input);
  return callStep(input, site, redis, 'ship-redis-aof');
}
