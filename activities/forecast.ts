import { clockPoint, verifiedPoint } from '../domain/clock.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Forecast, RunRecord } from '../domain/run.ts';

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
const TYK_COMPONENT_MS = 3_000;
/** What each step costs in Temporal. */
const STEP_MS = 80;

/** Sizes within this factor of each other take time in proportion; further apart the fixed parts mislead. */
const COMPARABLE = 4;

/** `earlier` is a recovery of the same kind on the same target: what was measured there beats our constants. */
export function forecast(plan: RecoverPlan, manifest: Manifest, earlier?: RunRecord): Forecast {
  const database = plan.steps.includes('restore-database-data') ? manifest.database : undefined;
  const redis = plan.steps.includes('restore-redis-data') ? manifest.redis : undefined;
  const stores = [
    ...(database === undefined ? [] : [databasePart(database.databaseBytes, earlier)]),
    ...(redis === undefined ? [] : [redisPart(redis.keys, earlier)]),
  ];
  const orchestrationMs = plan.steps.length * STEP_MS;
  const rest = [
    tykPart(plan, earlier),
    {
      name: 'orchestration',
      durationMs: orchestrationMs,
      arithmetic: `${plan.steps.length} steps at ${STEP_MS} ms`,
    },
  ];
  const storesMs = Math.max(0, ...stores.map((part) => part.durationMs));
  const restMs = rest.reduce((sum, part) => sum + part.durationMs, 0);
  return {
    totalMs: Math.round(storesMs + restMs),
    parts: [...stores, ...rest].map((part) => ({ ...part, durationMs: Math.round(part.durationMs) })),
  };
}

type Part = Forecast['parts'][number];

function databasePart(bytes: number, earlier: RunRecord | undefined): Part {
  const name = 'database';
  const then = earlier?.set?.databaseBytes;
  const tookMs = earlier && stepsMs(earlier, 'restore-database-data', 'start-database', 'prove-database');
  if (comparable(then, bytes) && tookMs) {
    const arithmetic = `${formatBytes(bytes)}; ${formatBytes(then)} took ${formatDuration(tookMs)} in ${earlier.run}`;
    return { name, durationMs: (tookMs * bytes) / then, arithmetic };
  }
  return {
    name,
    durationMs: DATABASE_FIXED_MS + (1000 * bytes) / DATABASE_RATE + (1000 * bytes) / AMCHECK_RATE,
    arithmetic: `${formatBytes(bytes)} at ${formatBytes(DATABASE_RATE)}/s, read again at ${formatBytes(AMCHECK_RATE)}/s, and ${DATABASE_FIXED_MS / 1000} s`,
  };
}

function redisPart(keys: number, earlier: RunRecord | undefined): Part {
  const name = 'redis';
  const then = earlier?.set?.redisKeys;
  const tookMs = earlier && stepsMs(earlier, 'restore-redis-data', 'start-redis', 'prove-redis');
  if (comparable(then, keys) && tookMs) {
    const arithmetic = `${keys} keys; ${then} took ${formatDuration(tookMs)} in ${earlier.run}; beside the database`;
    return { name, durationMs: (tookMs * keys) / then, arithmetic };
  }
  return {
    name,
    durationMs: REDIS_FIXED_MS + (1000 * keys) / REDIS_KEYS_PER_SECOND,
    arithmetic: `${keys} keys at ${REDIS_KEYS_PER_SECOND}/s and ${REDIS_FIXED_MS / 1000} s; beside the database`,
  };
}

function tykPart(plan: RecoverPlan, earlier: RunRecord | undefined): Part {
  const name = 'Tyk and proofs';
  const restored = earlier && clockPoint(earlier.clock, 'data restored');
  const verified = earlier && verifiedPoint(earlier.clock);
  if (restored && verified)
    return {
      name,
      durationMs: Date.parse(verified.at) - Date.parse(restored.at),
      arithmetic: `as in ${earlier.run}`,
    };
  const durationMs = plan.component === undefined ? TYK_MS : TYK_COMPONENT_MS;
  return { name, durationMs, arithmetic: 'no earlier run on this target; Gateways report after ten seconds' };
}

function comparable(then: number | undefined, now: number): then is number {
  return then !== undefined && then > 0 && now > 0 && Math.max(then / now, now / then) <= COMPARABLE;
}

function stepsMs({ steps }: RunRecord, ...ids: readonly string[]): number {
  return steps
    .filter(({ id }) => ids.includes(id))
    .reduce(
      (sum, { startedAt, endedAt }) =>
        sum + (startedAt && endedAt ? Date.parse(endedAt) - Date.parse(startedAt) : 0),
      0,
    );
}
