import { isSigned, NOTIFICATION_CHANNEL, type Notification } from '../tyk/notification.ts';
import type { Conf } from './conf.ts';
import { log } from './log.ts';
import { connectRedis } from './redis.ts';
import type { Reloader } from './reloader.ts';
import type { Sessions } from './sessions.ts';

/**
 * A real Gateway asks for the channel before it is connected, fails, and asks again after ten seconds. Tests that are
 * about something else need not wait for it.
 */
const DEAF_MS = Number(process.env['STAND_IN_DEAF_MS'] ?? 10_000);

const RELOADS = ['ApiUpdated', 'ApiRemoved', 'ApiAdded', 'PolicyChanged', 'GroupReload'];

/** Listens for signed notifications, from 10 s after the start. Returns what stops it. */
export function listenForNotifications(conf: Conf, reloader: Reloader, sessions: Sessions): () => void {
  let disconnect = (): void => undefined;
  const timer = setTimeout(() => {
    const redis = connectRedis(conf.redis, 'notifications');
    disconnect = () => redis.disconnect();
    redis.on('ready', () => void redis.subscribe(NOTIFICATION_CHANNEL).catch(() => undefined));
    redis.on('message', (_channel: string, text: string) => handle(text));
  }, DEAF_MS);

  const handle = (text: string): void => {
    const notification = parse(text);
    if (!notification || !isSigned(notification, conf.nodeSecret)) {
      log('error', 'Payload signature is invalid!');
    } else if (RELOADS.includes(notification.command)) {
      log('info', `reload is asked for by ${notification.command}`);
      void reloader.request();
    } else if (notification.command === 'KeySpaceUpdateNotification') {
      for (const key of notification.payload.split(',')) sessions.forget(key.split(':')[0]!);
    }
  };
  return () => {
    clearTimeout(timer);
    disconnect();
  };
}

function parse(text: string): Notification | undefined {
  try {
    return JSON.parse(text) as Notification;
  } catch {
    return undefined;
  }
}
