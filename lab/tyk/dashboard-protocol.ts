import type { ApiListEntry } from './api-definition.ts';
import type { Policy } from './policy.ts';

/** The requests by which a Gateway gets its node id, says that it lives, and fetches what it serves. */
export const DASHBOARD_PATHS = {
  register: '/register/node',
  ping: '/register/ping',
  deregister: '/system/node',
  apis: '/system/apis',
  policies: '/system/policies',
} as const;

/** Header names, in the lower case that node:http gives. */
export const DASHBOARD_HEADERS = {
  nodeSecret: 'authorization',
  nodeId: 'x-tyk-nodeid',
  nonce: 'x-tyk-nonce',
  sessionId: 'x-tyk-session-id',
  hostname: 'x-tyk-hostname',
} as const;

/** Every reply with status 200. The nonce replaces the one before: a Gateway sends it with its next request. */
export interface DashboardReply<Message> {
  readonly Status: 'OK' | 'Error';
  readonly Message: Message;
  readonly Nonce: string;
}

export type RegisterReply = DashboardReply<{ readonly NodeID: string }>;
export type PingReply = DashboardReply<null>;
export type PolicyListReply = DashboardReply<readonly Policy[]>;
export type ApiListReply = DashboardReply<readonly ApiListEntry[]>;
