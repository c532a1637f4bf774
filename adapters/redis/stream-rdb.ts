import type { Readable } from 'node:stream';
import { tool } from '../backup/seal.ts';
import type { RedisEndpoint } from './client.ts';

/**
 * The RDB of a live server, over the replication link: never SAVE, which stalls every client for seconds. The
 * server forks, as for any replica.
 *
 * `ended` rejects when the transfer broke: the stream alone would look like a short success.
 */
export function streamRdb(
  endpoint: RedisEndpoint,
  signal?: AbortSignal,
): { stream: Readable; ended: Promise<void> } {
  const user = endpoint.username === undefined ? [] : ['--user', endpoint.username];
  const address = ['-h', endpoint.host ?? '127.0.0.1', '-p', String(endpoint.port ?? 6379)];
  const { output, ended, input } = tool(
    ['redis-cli', ...address, ...user, '--no-auth-warning', '--rdb', '-'],
    signal,
    {
      ...(endpoint.password === undefined ? {} : { REDISCLI_AUTH: endpoint.password.reveal() }),
    },
  );
  input.end();
  return { stream: output, ended };
}

/** From the file's first nine bytes, `REDIS0010`. Undefined where it is no RDB. */
export function rdbVersion(head: Buffer): number | undefined {
  const version = /^REDIS(\d{4})$/.exec(head.subarray(0, 9).toString('latin1'))?.[1];
  return version === undefined ? undefined : Number(version);
}
