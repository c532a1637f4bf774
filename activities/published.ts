import { listApis, listPolicies, type ApiListing } from '../adapters/tyk/dashboard.ts';
import type { GatewayConfig } from '../domain/config.ts';
import { definedInFiles } from './gateway-files.ts';
import type { Call } from './guard.ts';
import { gatewaysOn } from './site.ts';

/** What Gateways must serve: what the Dashboard publishes or, without one, what their own files define. */

/** The APIs that clients may call, as this worker's Gateways have them. */
export async function activeApis(call: Call): Promise<ApiListing[]> {
  const { dashboard } = call.target;
  if (dashboard) {
    const apis = await listApis(dashboard.url, await call.secret(dashboard.accessKey));
    return apis.filter((api) => api.active);
  }
  const byId = new Map<string, ApiListing>();
  for (const gateway of gatewaysOn(call.worker, call.target))
    for (const api of (await definedInFiles(gateway)).apis) byId.set(api.apiId, api);
  return [...byId.values()];
}

/** Ids, sorted. */
export interface Definitions {
  readonly apis: readonly string[];
  readonly policies: readonly string[];
}

export async function publishedTo(call: Call, gateway: GatewayConfig): Promise<Definitions> {
  const { dashboard } = call.target;
  if (dashboard) {
    const key = await call.secret(dashboard.accessKey);
    const [apis, policies] = await Promise.all([activeApis(call), listPolicies(dashboard.url, key)]);
    return { apis: idsOf(apis), policies };
  }
  const { apis, policies } = await definedInFiles(gateway);
  return { apis: idsOf(apis), policies };
}

function idsOf(apis: readonly ApiListing[]): string[] {
  return apis.map((api) => api.apiId).sort();
}
