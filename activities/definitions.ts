import { Readable } from 'node:stream';
import { withClient } from '../adapters/postgres/client.ts';
import type { Site } from '../domain/config.ts';
import { isObject, type Json } from '../domain/json.ts';
import type { ManifestObject } from '../domain/manifest.ts';
import type { Definitions } from '../domain/versioned.ts';
import { databaseConnection } from './endpoints.ts';
import type { BackupCall } from './guard.ts';
import { sealObject } from './seal-object.ts';
import { serves } from './site.ts';

/**
 * API and policy definitions as a part of the set, so that the set itself can say which it holds. Read from the live
 * database while the set is made: what is edited in these very seconds may be in the one and not yet in the other.
 */
export async function sealDefinitions(call: BackupCall): Promise<ManifestObject[]> {
  const { worker, site } = call;
  const { database } = site;
  if (!database || !serves(worker, site, database)) return [];
  call.progress('definitions');
  const definitions = await readDefinitions(call, database);
  return [await sealObject(call, 'definitions', Readable.from([Buffer.from(JSON.stringify(definitions))]))];
}

/** Whatever the kind of the database: documents in the form in which the Dashboard keeps them, in any order. */
async function readDefinitions(
  { secret }: BackupCall,
  database: NonNullable<Site['database']>,
): Promise<Definitions> {
  return withClient(await databaseConnection(database, secret), async (client) => {
    const rows = async (table: string): Promise<Json[]> => {
      const { rows: found } = await client.query<{ row: Json }>(`SELECT to_jsonb(t) AS row FROM ${table} t`);
      return found.map(({ row }) => row);
    };
    return {
      apis: (await rows('tyk_apis')).map(apiOf),
      policies: (await rows('tyk_policies')).map(policyOf),
    };
  });
}

/** The definition and its OpenAPI document; the other columns repeat what is in them, or are times. */
function apiOf(row: Json): Json {
  if (!isObject(row) || !isObject(row['api_definition'])) return row;
  const { api_definition, oas } = row;
  return isObject(oas) ? { api_definition, oas } : { api_definition };
}

function policyOf(row: Json): Json {
  return isObject(row) && isObject(row['policy']) ? row['policy'] : row;
}
