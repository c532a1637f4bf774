import { formatBytes } from '../domain/duration.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Forecast } from '../domain/run.ts';

/** How long the recovery will take, from data sizes and rates measured on two cores with a local disk. */

/** Physical restore with decryption, bytes a second. */
const DATABASE_RATE = 300_000_000;
/** Starting, replaying a little WAL, reading every page with pg_amcheck, stopping, starting again. */
const DATABASE_FIXED_MS = 4_000;
const AMCHECK_RATE = 400_000_000;
/** Redis loads on one core. */
const REDIS_KEYS_PER_SECOND = 280_000;
const REDIS_FIXED_MS = 800;
/** Start of the Dashboard, of the Gateways with their first ten seconds, and the proofs of all of it. */
const TYK_MS = 15_000;
/** What each step costs in Temporal. */
const STEP_MS = 80;

export function forecast(plan: RecoverPlan, { database, redis }: Manifest): Forecast {
  const parts: Forecast['parts'][number][] = [];
  const restoresDatabase = database !== undefined && plan.steps.includes('restore-database-data');
  const restoresRedis = redis !== undefined && plan.steps.includes('restore-redis-data');
  if (restoresDatabase) {
    const bytes = database.databaseBytes;
    parts.push({
      name: 'database',
      durationMs: DATABASE_FIXED_MS + (1000 * bytes) / DATABASE_RATE + (1000 * bytes) / AMCHECK_RATE,
      arithmetic: `${formatBytes(bytes)} at ${formatBytes(DATABASE_RATE)}/s, read again at ${formatBytes(AMCHECK_RATE)}/s, and ${DATABASE_FIXED_MS / 1000} s`,
    });
  }
  if (restoresRedis) {
    parts.push({
      name: 'redis',
      durationMs: REDIS_FIXED_MS + (1000 * redis.keys) / REDIS_KEYS_PER_SECOND,
      arithmetic: `${redis.keys} keys at ${REDIS_KEYS_PER_SECOND}/s and ${REDIS_FIXED_MS / 1000} s; beside the database`,
    });
  }
  const storesMs = Math.max(0, ...parts.map((part) => part.durationMs));
  const tykMs = plan.component === undefined ? TYK_MS : 3_000;
  parts.push(
    { name: 'Tyk and proofs', durationMs: tykMs, arithmetic: `measured on an idle host` },
    {
      name: 'orchestration',
      durationMs: plan.steps.length * STEP_MS,
      arithmetic: `${plan.steps.length} steps at ${STEP_MS} ms`,
    },
  );
  return {
    totalMs: Math.round(storesMs + tykMs + plan.steps.length * STEP_MS),
    parts: parts.map((part) => ({ ...part, durationMs: Math.round(part.durationMs) })),
  };
}
