import { keyRelations, type KeyRelations } from '../../domain/relations.ts';
import type { Client } from './client.ts';

/** Sessions of keys, a hundred at a time: memory does not grow with their number. */

const SESSIONS = 'apikey-*';
/** With their values: few enough that a batch is gone before V8 moves it to where only a full collection removes it. */
const BATCH = 100;

/** Undefined for one that is no JSON of a session. One that expires meanwhile is left out. */
export async function* readSessions(client: Client): AsyncGenerator<KeyRelations | undefined> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', SESSIONS, 'COUNT', BATCH);
    cursor = next.toString();
    const values = keys.length === 0 ? [] : await client.mgetBuffer(keys);
    for (const value of values) if (value !== null) yield keyRelations(value.toString('utf8'));
  } while (cursor !== '0');
}
