import type { Db } from 'mongodb';
import { listCollections, waitReady } from '../../adapters/mongodb/client.ts';
import { startService } from '../../adapters/service/service.ts';
import { DrError } from '../../domain/errors.ts';
import { replicates } from '../../domain/strategy.ts';
import type { Call } from '../guard.ts';
import { serviceOf } from '../site.ts';
import { becomePrimary } from '../standby/mongodb-standby.ts';
import { whileRunning } from '../while-running.ts';
import { mongoEndpoint, mongoOf } from './mongodb.ts';

/** The server that a dump goes into: it runs while its database is restored, and may hold databases of others. */

const START_TIMEOUT_MS = 5 * 60_000;

/** Starts the server where it is ours to start. @returns whether it had to be started */
export async function wake(call: Call): Promise<boolean> {
  const { target, input, signal } = call;
  if (mongoOf(target).service === undefined) return false;
  const started = await startService(serviceOf(input.plan.to, target, 'database'), signal);
  if (wasFollowing(call)) await becomePrimary(call);
  return started;
}

/** The member of a standby takes no write, and nobody is left to elect it once the other site is fenced. */
function wasFollowing({ deployment, input: { plan } }: Call): boolean {
  return replicates(deployment.strategy) && plan.from !== plan.to && plan.drill === undefined;
}

/** Runs some work on the site's database, as soon as the server answers. */
export async function withServer<T>(call: Call, work: (db: Db) => Promise<T>): Promise<T> {
  const { target, input, signal } = call;
  const config = mongoOf(target);
  const endpoint = await mongoEndpoint(config, call.secret);
  const ready = (either: AbortSignal) => waitReady(endpoint, START_TIMEOUT_MS, either);
  const client =
    config.service === undefined
      ? await ready(signal)
      : await whileRunning(serviceOf(input.plan.to, target, 'database'), signal, ready);
  try {
    return await work(client.db(endpoint.database));
  } finally {
    await client.close();
  }
}

/**
 * A configuration that names another deployment's server must not cost that one its data: what is replaced is empty,
 * or the Dashboard's database of our organisation.
 *
 * @throws DrError TARGET_IS_ANOTHER
 */
export async function requireOurs({ deployment, target }: Call, db: Db): Promise<void> {
  const present = (await listCollections(db)).map(({ name }) => name);
  if (present.length === 0) return;
  const named = ['tyk_organisations', 'tyk_organizations'].find((name) => present.includes(name));
  const owners = named === undefined ? [] : await ids(db, named);
  // Before the first organisation is made there is only what the Dashboard and the Pump make by themselves.
  const tyks = named !== undefined || present.some((name) => /^(tyk_|z_tyk_|portal_)/.test(name));
  if (tyks && (owners.length === 0 || owners.includes(deployment.organisation))) return;
  const { host, port, name } = mongoOf(target);
  throw new DrError('TARGET_IS_ANOTHER', {
    path: `database ${name} at ${host}:${port}`,
    actual: tyks ? `that of organisation ${owners.slice(0, 3).join(', ')}` : 'no Dashboard’s',
    expected: `that of organisation ${deployment.organisation}`,
  });
}

async function ids(db: Db, collection: string): Promise<string[]> {
  const found = await db
    .collection(collection)
    .find({}, { projection: { _id: 1 } })
    .limit(1000)
    .toArray();
  return found.map(({ _id }) => String(_id));
}
