/**
 * Service tiers and their default objectives, from the guide's table 'Example recovery objectives for different
 * tiers'. A deployment may state its own.
 */

export const TIERS = ['critical', 'important', 'standard', 'development'] as const;
export type Tier = (typeof TIERS)[number];

export interface Objectives {
  /** Recovery time objective: the longest acceptable outage, milliseconds. */
  readonly rtoMs: number;
  /** Recovery point objective: the longest acceptable loss of data, milliseconds. */
  readonly rpoMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const TIER_DEFAULTS: Readonly<Record<Tier, Objectives & { readonly priority: number }>> = {
  critical: { rtoMs: 15 * MINUTE_MS, rpoMs: 5 * MINUTE_MS, priority: 1 },
  important: { rtoMs: HOUR_MS, rpoMs: 15 * MINUTE_MS, priority: 2 },
  standard: { rtoMs: 4 * HOUR_MS, rpoMs: HOUR_MS, priority: 3 },
  development: { rtoMs: 24 * HOUR_MS, rpoMs: 24 * HOUR_MS, priority: 4 },
};

/** The recovery point objective of a deployment, milliseconds: its own, else that of its tier. */
export function rpoOf({
  objectives,
  tier,
}: {
  readonly objectives: { readonly rpo?: number | undefined };
  readonly tier: Tier;
}): number {
  return objectives.rpo ?? TIER_DEFAULTS[tier].rpoMs;
}
