import { createHash } from 'node:crypto';
import type { Secret } from '../../domain/secret.ts';

/** The Redis channel on which Dashboard and Gateways tell each other of changes. */
export const NOTIFICATION_CHANNEL = 'tyk.cluster.notifications';

/** The number that Go's `crypto` package gives SHA-256. */
const ALGORITHM_SHA256 = 5;

export type NotificationCommand =
  'ApiUpdated' | 'ApiRemoved' | 'ApiAdded' | 'PolicyChanged' | 'GroupReload' | 'KeySpaceUpdateNotification';

export interface Notification {
  readonly command: string;
  readonly payload: string;
  readonly signature: string;
  readonly algorithm: number;
}

/** A notification that every Gateway with this node secret believes; publish it as JSON. */
export function signNotification(
  command: NotificationCommand,
  nodeSecret: Secret,
  payload = '',
): Notification {
  return {
    command,
    payload,
    signature: signature(command, payload, nodeSecret),
    algorithm: ALGORITHM_SHA256,
  };
}

/** Whether the notification was signed with this node secret. */
export function isSigned(notification: Notification, nodeSecret: Secret): boolean {
  const expected = signature(notification.command, notification.payload, nodeSecret);
  return notification.algorithm === ALGORITHM_SHA256 && notification.signature === expected;
}

function signature(command: string, payload: string, nodeSecret: Secret): string {
  return createHash('sha256')
    .update(command + payload + nodeSecret.reveal())
    .digest('hex');
}
