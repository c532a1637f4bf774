/** The guide's strategies, from the cheapest to the fastest, and what each means for the site that stands by. */

export const STRATEGIES = ['backup-restore', 'pilot-light', 'warm-standby', 'hot'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** All but the first keep the stores of another site level, and fail over to it. */
export const replicates = (strategy: Strategy): boolean => strategy !== 'backup-restore';

/** Whether Dashboard and Gateways of the standby run already, and only have to be shown their stores. */
export const runsWarm = (strategy: Strategy): boolean => strategy === 'warm-standby' || strategy === 'hot';

/** Whether a site is one of a pair that replicates: not of another strategy, and not the one that is there for drills. */
export const replicatesAt = (
  {
    strategy,
    drill,
  }: { readonly strategy: Strategy; readonly drill?: { readonly site?: string | undefined } | undefined },
  site: string,
): boolean => replicates(strategy) && site !== drill?.site;
