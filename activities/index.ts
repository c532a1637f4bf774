import { createDashboardActivities } from './dashboard.ts';
import { createFenceActivities } from './fence.ts';
import { createGatewayActivities } from './gateways.ts';
import type { Deps } from './guard.ts';
import { createPingActivities } from './ping.ts';
import { createRecordActivities } from './record.ts';
import { createTrafficActivities } from './traffic.ts';
import { createUpstreamActivities } from './upstreams.ts';
import { createVerificationActivities } from './verification.ts';

/** Every effect of tyk-dr, by the id of its step. */
export function createActivities(deps: Deps, version: string) {
  return {
    ...createPingActivities(deps, version),
    ...createFenceActivities(deps),
    ...createDashboardActivities(deps),
    ...createGatewayActivities(deps),
    ...createUpstreamActivities(deps),
    ...createVerificationActivities(deps),
    ...createTrafficActivities(deps),
    ...createRecordActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
