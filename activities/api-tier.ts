import type { ApiListing } from '../adapters/tyk/dashboard.ts';
import { TIERS, type Tier } from '../domain/objectives.ts';

/** An API carries its tier as a tag, such as `tier-critical`; undefined where it has none. */
export function tierOfApi(api: ApiListing): Tier | undefined {
  return TIERS.find((tier) => api.tags.includes(`tier-${tier}`));
}
