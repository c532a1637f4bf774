import type { Connection } from '../../adapters/postgres/client.ts';
import { slotOf } from '../../adapters/postgres/replication.ts';
import type { Following } from '../../adapters/postgres/standby-files.ts';
import { clusterOf } from '../../domain/cluster.ts';
import type { Secret } from '../../domain/secret.ts';
import type { Call } from '../guard.ts';

type Asking = Pick<Call, 'source' | 'deployment'> & { secret: Call['secret'] };

/** The door through which a standby follows the database of the source: the role of replication, and nothing more. */
export async function followed({
  source,
  deployment,
  secret,
}: Asking): Promise<Connection & { readonly password: Secret }> {
  // Rights on functions are of one database: the one in which open-replication has given them.
  const { host, port, tls, name: database } = clusterOf(source);
  const { user, password } = deployment.replication!.database!;
  return { host, port, tls, user, database, password: await secret(password) };
}

/** The same, as the standby has it in its own configuration. */
export async function following(call: Asking & Pick<Call, 'input'>): Promise<Following> {
  const slot = slotOf(call.input.plan.to);
  return { source: await followed(call), slot, name: slot };
}
