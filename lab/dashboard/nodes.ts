import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Redis } from 'ioredis';
import type { Secret } from '../../domain/secret.ts';
import { DASHBOARD_HEADERS as HEADERS } from '../tyk/dashboard-protocol.ts';
import { Refused } from './refused.ts';

/** Gateways that have registered. Their sessions live in Redis: without it, no Gateway is known. */

const SESSION_SECONDS = 60;
/** Pings and fetches run at the same time: any of the nonces given out lately is right. */
const NONCES_KEPT = 20;

export class Nodes {
  readonly #redis: Redis;
  readonly #secret: Secret;

  constructor(redis: Redis, secret: Secret) {
    this.#redis = redis;
    this.#secret = secret;
  }

  /** @returns the id of the new node and its first nonce. */
  async register(request: IncomingMessage): Promise<{ id: string; nonce: string }> {
    this.#requireSecret(request);
    const id = randomUUID();
    return { id, nonce: await this.#issue(id) };
  }

  /** Checks a registered node's request. @returns the nonce for its next one. */
  async admit(request: IncomingMessage): Promise<string> {
    this.#requireSecret(request);
    const id = header(request, HEADERS.nodeId);
    if (id === '') throw new Refused(403, 'Authorization failed (No node ID Found)');
    const known = await this.#redis.lrange(key(id), 0, -1).catch((): string[] => []);
    if (known.length === 0) throw new Refused(403, 'Authorization failed (Session not found)');
    if (!known.includes(header(request, HEADERS.nonce)))
      throw new Refused(403, 'Authorization failed (Nonce failed)');
    return this.#issue(id);
  }

  async deregister(request: IncomingMessage): Promise<void> {
    await this.admit(request);
    await this.#redis.del(key(header(request, HEADERS.nodeId)));
  }

  async #issue(id: string): Promise<string> {
    const nonce = randomUUID();
    try {
      const results = await this.#redis
        .multi()
        .lpush(key(id), nonce)
        .ltrim(key(id), 0, NONCES_KEPT - 1)
        .expire(key(id), SESSION_SECONDS)
        .exec();
      if (!results) throw new Error('no answer');
    } catch {
      throw new Refused(409, 'Another registration operation in progress');
    }
    return nonce;
  }

  #requireSecret(request: IncomingMessage): void {
    if (header(request, HEADERS.nodeSecret) !== this.#secret.reveal())
      throw new Refused(403, 'Authorization failed (Secret is wrong)');
  }
}

const key = (id: string): string => `tyk-lab-node-${id}`;

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
