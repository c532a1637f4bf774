import { checkObject } from '../adapters/backup/open.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Call } from './guard.ts';
import { piecesOf } from './redis-log.ts';
import { newestLog } from './shipped-log.ts';

/**
 * Reads the shipped log that Redis would be restored with to its end, before anything is touched. Damage does not
 * stand in the way, as the set has an RDB; but whoever steers must hear of it now, when another point can be chosen.
 *
 * @param manifest of the set or the snapshot that Redis comes from otherwise.
 * @returns why the log cannot be used; undefined where it can be, or none is newer than the RDB
 */
export async function logProblem(call: Call, manifest: Manifest): Promise<string | undefined> {
  const { deployment, input, target } = call;
  if (target.redis?.method !== 'files' || !input.plan.steps.includes('restore-redis-data')) return undefined;
  try {
    const found = await newestLog(deployment.backup, input.plan, manifest);
    if (!found) return undefined;
    for (const file of found.log.files) {
      call.progress(`reading ${file.name} of the shipped log`);
      for (const piece of await piecesOf(call, found.chain, file)) await checkObject(piece);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return `the shipped append-only log cannot be used, Redis comes from ${manifest.set}: ${error.message}`;
  }
}
