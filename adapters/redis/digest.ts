import { createHash } from 'node:crypto';
import type { Client } from './client.ts';

/**
 * A digest of a value that is equal wherever the value is. `DUMP` is not: sets and hashes change their internal
 * order with a mere restart. So members and fields are sorted here; lists, sorted sets and streams keep their order.
 */
export async function valueDigest(client: Client, key: Buffer, type: string): Promise<string> {
  const hash = createHash('sha256').update(`${type}\n`);
  for (const part of await canonicalParts(client, key, type)) hash.update(`${part.length}\n`).update(part);
  return hash.digest('hex');
}

async function canonicalParts(client: Client, key: Buffer, type: string): Promise<Buffer[]> {
  switch (type) {
    case 'string':
      return [(await client.getBuffer(key)) ?? Buffer.alloc(0)];
    case 'list':
      return client.lrangeBuffer(key, 0, -1);
    case 'set':
      return (await client.smembersBuffer(key)).sort(Buffer.compare);
    case 'zset':
      return flatten(await client.callBuffer('ZRANGE', key, 0, -1, 'WITHSCORES'));
    case 'hash':
      return pairs((await client.callBuffer('HGETALL', key)) as Buffer[]);
    case 'stream':
      return flatten(await client.callBuffer('XRANGE', key, '-', '+'));
    default:
      // A module's own type: only its serialised form is to be had.
      return [((await client.callBuffer('DUMP', key)) as Buffer | null) ?? Buffer.alloc(0)];
  }
}

function pairs(flat: readonly Buffer[]): Buffer[] {
  const fields: [Buffer, Buffer][] = [];
  for (let index = 0; index < flat.length; index += 2) fields.push([flat[index]!, flat[index + 1]!]);
  return fields.sort(([a], [b]) => Buffer.compare(a, b)).flat();
}

function flatten(reply: unknown): Buffer[] {
  if (Buffer.isBuffer(reply)) return [reply];
  return Array.isArray(reply) ? reply.flatMap(flatten) : [];
}
