import { withClient } from '../../adapters/postgres/client.ts';
import { superuserOf } from '../../lab/connections.ts';
import type { Lab, SiteName } from '../../lab/layout.ts';

/** A query on a site's database, as its superuser. */
export async function sqlOn<T>(lab: Lab, site: SiteName, text: string): Promise<T[]> {
  return withClient(await superuserOf(lab, site), async (client) => (await client.query(text)).rows as T[]);
}
