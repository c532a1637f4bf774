import { withClient } from '../../adapters/postgres/client.ts';
import { Secret } from '../../domain/secret.ts';
import { readKey } from '../../lab/keys.ts';
import { sitePort, type Lab, type SiteName } from '../../lab/layout.ts';

/** A query on a site's database, as its superuser. */
export async function sqlOn<T>(lab: Lab, site: SiteName, text: string): Promise<T[]> {
  const connection = {
    host: '127.0.0.1',
    port: sitePort(lab, site, 'postgres'),
    user: 'postgres',
    database: 'tyk_analytics',
    password: new Secret(await readKey(lab, 'postgres-admin-password')),
  };
  return withClient(connection, async (client) => (await client.query(text)).rows as T[]);
}
