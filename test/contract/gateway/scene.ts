import { expect } from 'vitest';
import { buildApiEntry, type ApiListEntry, type ApiOptions } from '../../../lab/tyk/api-definition.ts';
import { keyHash, makeToken } from '../../../lab/tyk/key-hash.ts';
import { buildPolicy, type Policy, type PolicyOptions } from '../../../lab/tyk/policy.ts';
import { buildSession, type SessionOptions } from '../../../lab/tyk/session.ts';
import {
  eventually,
  NODE_SECRET,
  startGateway,
  type GatewayOptions,
  type RunningGateway,
} from '../../harness/gateway.ts';
import { PROVEN_VERSION, PROVES } from './contract.ts';
import { startDashboardStub, type DashboardStub } from './dashboard-stub.ts';
import { startScratchRedis, type ScratchRedis } from './scratch-redis.ts';
import { startUpstream, type Echo, type Upstream } from './upstream.ts';

export const ORG = '5e9d9544a1dcd60001d0ed20';

/** Everything around the Gateways of one test file: a Redis, a Dashboard that does as told, and an upstream. */
export interface Scene {
  readonly redis: ScratchRedis;
  readonly dashboard: DashboardStub;
  readonly upstream: Upstream;
  /** Starts a Gateway in Dashboard mode unless told otherwise; it ends with the scene. */
  gateway(options?: Partial<GatewayOptions>): Promise<RunningGateway>;
  /** Starts a further Dashboard; it ends with the scene. */
  anotherDashboard(): Promise<DashboardStub>;
  api(options: Omit<ApiOptions, 'orgId' | 'targetUrl'> & { oas?: boolean; targetUrl?: string }): ApiListEntry;
  policy(options: Omit<PolicyOptions, 'orgId'>): Policy;
  /** Stores a session as a hashing Gateway would and returns its key. */
  storeKey(session: Partial<SessionOptions>, token?: string): Promise<string>;
  end(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const redis = await startScratchRedis();
  const dashboards = [await startDashboardStub(NODE_SECRET)];
  const upstream = await startUpstream();
  const gateways: RunningGateway[] = [];
  const dashboard = dashboards[0]!;
  return {
    redis,
    dashboard,
    upstream,
    gateway: async (options = {}) => {
      const gateway = await startGateway({ redis, source: { dashboardUrl: dashboard.url }, ...options });
      gateways.push(gateway);
      if (PROVES) expect((await gateway.hello()).version).toBe(PROVEN_VERSION);
      return gateway;
    },
    anotherDashboard: async () => {
      const another = await startDashboardStub(NODE_SECRET);
      dashboards.push(another);
      return another;
    },
    api: (options) => buildApiEntry({ orgId: ORG, targetUrl: upstream.url, ...options }),
    policy: (options) => buildPolicy({ orgId: ORG, ...options }),
    storeKey: async (session, token = makeToken(ORG)) => {
      const json = JSON.stringify(buildSession({ orgId: ORG, ...session }));
      await redis.client.set(`apikey-${keyHash(token)}`, json);
      return token;
    },
    end: async () => {
      await Promise.all(gateways.map((gateway) => gateway.kill()));
      await Promise.all(dashboards.map((stub) => stub.stop()));
      await upstream.stop();
      await redis.end();
    },
  };
}

/** Waits until a path of the Gateway answers with this status. */
export async function untilStatus(
  gateway: RunningGateway,
  path: string,
  status: number,
  options: { key?: string; timeoutMs?: number } = {},
): Promise<Response> {
  return eventually(async () => {
    const response = await gateway.get(path, options);
    if (response.status !== status) throw new Error(`${path} answers ${response.status}, not ${status}`);
    return response;
  }, options.timeoutMs);
}

export async function statusOf(gateway: RunningGateway, path: string, key?: string): Promise<number> {
  const response = await gateway.get(path, key === undefined ? {} : { key });
  await response.arrayBuffer();
  return response.status;
}

export async function echoOf(response: Response): Promise<Echo> {
  return (await response.json()) as Echo;
}

/** The reason that the Gateway itself gives for refusing. */
export async function errorOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: string }).error;
}
