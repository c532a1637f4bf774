import { Redis } from 'ioredis';
import type { Conf } from './conf.ts';
import { log } from './log.ts';

const RETRY_MS = 250;
const CONNECT_TIMEOUT_MS = 2000;
/** A Redis that accepts and never answers must not hold requests for longer than this. */
const COMMAND_TIMEOUT_MS = 5000;

/** A connection that comes back by itself, and whose commands fail at once while it is away. */
export function connectRedis(conf: Conf['redis'], purpose: string): Redis {
  const redis = new Redis({
    host: conf.host,
    port: conf.port,
    password: conf.password.reveal(),
    db: conf.database,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => RETRY_MS,
  });
  let reachable: boolean | undefined;
  redis.on('ready', () => {
    if (reachable !== true) log('info', `redis is connected (${purpose})`);
    reachable = true;
  });
  redis.on('error', (error: Error) => {
    if (reachable !== false) log('error', `redis is not reachable (${purpose}): ${error.message}`);
    reachable = false;
  });
  return redis;
}
