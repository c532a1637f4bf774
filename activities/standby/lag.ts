import { journalFolders } from '../../adapters/beacon/files.ts';
import { readBeaconJournal } from '../../adapters/beacon/read.ts';
import { withClient as withPostgres } from '../../adapters/postgres/client.ts';
import { parseLsn } from '../../adapters/postgres/lsn.ts';
import { primaryPosition, slotOf, standbyPosition } from '../../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { sameAddress } from '../../adapters/host/same-address.ts';
import { redisPosition, type RedisPosition } from '../../adapters/redis/replica.ts';
import { addressText, settledView, withSentinels, type Address } from '../../adapters/redis/sentinels.ts';
import { momentOf, type MarkedStore } from '../../domain/beacon.ts';
import { clusterOf } from '../../domain/cluster.ts';
import type { Deployment, RedisConfig, Site } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import type { StoreStanding } from '../../domain/replication.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';
import { adminConnection, redisEndpoint, sentinelsOf } from '../endpoints.ts';
import { markedStores, readMarks } from '../watermarks.ts';
import { followed } from './followed.ts';
import { isMongo, mongoStanding } from './mongodb.ts';

/** How far the stores of a standby are behind those of the other site: by watermarks, and in bytes where both answer. */

/** Whose stores are asked, and by whose configuration. */
export interface Asking {
  readonly worker: string;
  readonly deployment: Deployment;
  readonly target: Site;
  readonly source: Site;
  readonly plan: Pick<RecoverPlan, 'deployment' | 'from' | 'to'>;
  /** Days of the journal before this one (`YYYY-MM-DD`) are not read; default: all are. */
  readonly since?: string;
  secret(reference: SecretRef): Promise<Secret>;
}

type Found = Omit<StoreStanding, 'store' | 'site'>;

/** Of the target's stores on this host. Never throws for one that cannot be asked: that is its standing. */
export async function standingOf(asking: Asking): Promise<StoreStanding[]> {
  const newest = await newestJournalled(asking);
  const { target, worker, plan } = asking;
  return Promise.all(
    markedStores(target, worker).map(async (store): Promise<StoreStanding> => {
      const site = plan.to;
      try {
        const [at, lag] = await Promise.all([
          store === 'redis'
            ? redisStanding(asking)
            : isMongo(target)
              ? mongoStanding(asking)
              : databaseStanding(asking),
          lagOf(asking, store, newest(store)),
        ]);
        return { store, site, ...at, ...lag };
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        return { store, site, role: 'unreachable', problem };
      }
    }),
  );
}

/** What the beacon has had acknowledged last at the source, Unix seconds. */
async function newestJournalled({
  deployment,
  plan,
  since,
}: Asking): Promise<(store: MarkedStore) => number | undefined> {
  if (!deployment.beacon) return () => undefined;
  const journal = await readBeaconJournal(journalFolders(deployment, plan.deployment), since);
  return (store) => journal.of(plan.from, store).runs.at(-1)?.[1];
}

async function lagOf(
  { target, secret, deployment }: Asking,
  store: MarkedStore,
  journalled: number | undefined,
): Promise<Pick<StoreStanding, 'lagMs' | 'markedAt'>> {
  if (!deployment.beacon) return {};
  const marks = await readMarks(target, store, secret, true);
  if (marks.length === 0) return {};
  const newest = Math.max(...marks);
  return {
    markedAt: momentOf(newest),
    ...(journalled === undefined ? {} : { lagMs: Math.max(0, journalled - newest) * 1000 }),
  };
}

async function databaseStanding(call: Asking): Promise<Found> {
  const { target, secret, plan } = call;
  const position = await withPostgres(await adminConnection(clusterOf(target), secret), standbyPosition);
  if (!position.inRecovery) return { role: 'writes' };
  const source = await followed(call)
    .then((connection) => withPostgres(connection, primaryPosition))
    .catch(() => undefined);
  const replayed = position.replayed;
  return {
    role: 'follows',
    streaming: position.receiver === 'streaming' && position.slot === slotOf(plan.to),
    ...(replayed === undefined ? {} : { position: replayed }),
    ...(source && replayed !== undefined
      ? { lagBytes: positive(parseLsn(source.lsn) - parseLsn(replayed)) }
      : {}),
  };
}

async function redisStanding({ target, source, secret }: Asking): Promise<Found> {
  const from = source.redis!;
  const ask = (redis: RedisConfig): Promise<RedisPosition> =>
    redisEndpoint(redis, secret).then((endpoint) => withRedis(endpoint, redisPosition));
  // What they have begun is waited for: in the middle of it a server is the master and not named, or the reverse.
  const sentinels = await watching(target.redis!, secret);
  const at = await ask(target.redis!);
  const master = await ask(from).catch(() => undefined);
  if (at.role === 'master') return promoted(at, master, sentinels, target.redis!);
  const right = await follows(at, from);
  const named = sentinels.master;
  const elsewhere = named !== undefined && !(await sameAddress(named, from));
  const problem = [
    ...(right ? [] : [`its master is ${at.master?.host}:${at.master?.port}`]),
    ...(elsewhere ? [`the Sentinels name ${addressText(named)} as the master`] : []),
    ...(sentinels.problem === undefined ? [] : [sentinels.problem]),
  ].join('; ');
  return {
    role: 'follows',
    streaming: right && at.linkUp === true && at.syncing !== true,
    position: String(at.offset),
    ...(master ? { lagBytes: Math.max(0, master.offset - at.offset) } : {}),
    ...(problem === '' ? {} : { problem }),
  };
}

/** Names count only where Sentinels do: they write addresses where a person wrote a name. */
async function follows({ master }: RedisPosition, { host, port, sentinel }: RedisConfig): Promise<boolean> {
  if (!master) return false;
  if (sentinel) return sameAddress(master, { host, port });
  return master.host === host && master.port === port;
}

interface Watching {
  readonly master?: Address;
  readonly problem?: string;
}

/** Whom the Sentinels name, where there are any. */
async function watching(redis: RedisConfig, secret: Asking['secret']): Promise<Watching> {
  const group = await sentinelsOf(redis, secret);
  if (!group) return {};
  return withSentinels(group, settledView).catch((error: unknown): Watching => {
    if (error instanceof DrError) return { problem: error.message };
    throw error;
  });
}

/** A master on the site of a standby: by the Sentinels, or it has gone its own way. */
async function promoted(
  { followed, offset }: RedisPosition,
  old: RedisPosition | undefined,
  { master: named, problem }: Watching,
  own: Address,
): Promise<Found> {
  if (problem !== undefined) return { role: 'writes', problem };
  if (named === undefined) return { role: 'writes' };
  if (!(await sameAddress(named, own)))
    return { role: 'writes', problem: `the Sentinels name ${addressText(named)} as the master` };
  // Of the old one's own stream, and only while it writes that still: what it took that never came here.
  const beyond =
    old?.role === 'master' && old.stream === followed?.stream ? old.offset - followed!.offset : undefined;
  return {
    role: 'writes',
    promoted: true,
    position: String(offset),
    ...(beyond === undefined ? {} : { lagBytes: Math.max(0, beyond) }),
  };
}

const positive = (bytes: bigint): number => (bytes > 0n ? Number(bytes) : 0);
