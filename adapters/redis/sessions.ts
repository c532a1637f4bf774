import { keyRelations, type KeyRelations } from '../../domain/relations.ts';
import type { Client } from './client.ts';

/** Sessions of keys, a hundred at a time: memory does not grow with their number. */

const SESSIONS = 'apikey-*';
/** With their values: few enough that a batch is gone before V8 moves it to where only a full collection removes it. */
const BATCH = 100;
const LONGEST_SESSION = 1 << 20;

/** Undefined for one that is no JSON of a session. One that expires meanwhile is left out. */
export async function* readSessions(client: Client): AsyncGenerator<KeyRelations | undefined> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', SESSIONS, 'COUNT', BATCH);
    cursor = next.toString();
    if (keys.length === 0) continue;
    // No session is nearly as long. What is would fill the worker, and a Gateway could not read it either.
    const lengths = await Promise.all(keys.map((key) => client.strlen(key).catch(() => 0)));
    const readable = keys.filter((_key, index) => lengths[index]! <= LONGEST_SESSION);
    const values = readable.length === 0 ? [] : await client.mgetBuffer(readable);
    for (let left = keys.length - readable.length; left > 0; left -= 1) yield undefined;
    for (const value of values) if (value !== null) yield keyRelations(value.toString('utf8'));
  } while (cursor !== '0');
}
