import { Client, Connection } from '@temporalio/client';
import type { Config } from '../../domain/config.ts';
import { temporalSettings } from './connection.ts';

const CONNECT_TIMEOUT_MS = 4_000;

/** A client for one matter, for whoever has none and can do without. @throws whatever connecting and the work throw */
export async function byOwnDoor<T>(
  config: Pick<Config, 'temporal'>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { options, namespace, dataConverter } = await temporalSettings(config);
  const connection = await Connection.connect({ ...options, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    return await work(new Client({ connection, namespace, dataConverter }));
  } finally {
    await connection.close();
  }
}
