import { queryValue, type Client } from '../../adapters/postgres/client.ts';
import { writePgbackrestConfig } from '../../adapters/postgres/pgbackrest-config.ts';
import type { Pgbackrest } from '../../adapters/postgres/pgbackrest.ts';
import { clusterOf } from '../../domain/cluster.ts';
import type { Proof } from '../../domain/run.ts';
import { pgbackrestSite } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';

/** What becomes of a cluster that is written to from here on: an archive of its own, and the proof that it takes writes. */

/** A folder of its own for each recovery and failover: the epoch grows with every run and is the same for its retries. */
export const generationOf = ({ input }: Pick<Call, 'input'>): string => `${input.plan.to}-${input.epoch}`;

/** Sends its WAL into a repository that only this generation writes: before the first WAL of the new timeline. */
export async function archiveAnew(call: Call): Promise<Pgbackrest> {
  const { target, deployment, secret } = call;
  return writePgbackrestConfig(
    await pgbackrestSite(clusterOf(target), deployment.backup, secret, generationOf(call)),
  );
}

export async function proveWritable(client: Client): Promise<Proof[]> {
  const standby = await queryValue<boolean>(client, 'SELECT pg_is_in_recovery()');
  const proofs = [
    proof('it accepts writes', !standby, 'not in recovery', standby ? 'in recovery' : 'not in recovery'),
  ];
  requireProofs(proofs);
  return proofs;
}
