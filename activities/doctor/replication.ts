import { readFile, stat } from 'node:fs/promises';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import { queryValue, withClient as withPostgres } from '../../adapters/postgres/client.ts';
import { identifySystem, primaryFacts, refusesWrites } from '../../adapters/postgres/replication.ts';
import { passfileLine, passfileOf } from '../../adapters/postgres/standby-files.ts';
import { sameAddress } from '../../adapters/host/same-address.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { keptMaster, redisPosition } from '../../adapters/redis/replica.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { ClusterConfig, RedisConfig, Site } from '../../domain/config.ts';
import { fine, wrong, type Finding } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { isWatched } from '../../domain/redis-kind.ts';
import { replicatesAt } from '../../domain/strategy.ts';
import { adminConnection, redisEndpoint } from '../endpoints.ts';
import { serves } from '../site.ts';
import { followed } from '../standby/followed.ts';
import { isMongo } from '../standby/mongodb.ts';
import type { Host } from './host.ts';
import { checkReplicaSet } from './replica-set.ts';

/**
 * Whether replication can be made, and goes on when a stream that runs now ends: the servers' settings, and the door
 * between them. How far a standby is behind is measured elsewhere, and judged with what all hosts say.
 */
export async function checkReplication(host: Host): Promise<Finding[]> {
  const { deployment, siteName, site } = host;
  if (!replicatesAt(deployment, siteName)) return [];
  const mark = await readStandbyMark(site.stateDir);
  const source = mark && deployment.sites[mark.of];
  const found = source ? await checkStandby(host, source) : host.live ? await checkSource(host) : [];
  return isMongo(site) && (source || host.live) ? [...found, ...(await checkReplicaSet(host))] : found;
}

/** One for a standby, one for a base copy, one for its WAL. */
const MIN_SENDERS = 3;

async function checkSource(host: Host): Promise<Finding[]> {
  const { site, worker, where, deployment } = host;
  const config = clusterIfOurs(site);
  if (!config || !serves(worker, site, config)) return [];
  return withPostgres(await adminConnection(config, host.secret), async (client) => {
    const { walLevel, maxWalSenders, rewindable } = await primaryFacts(client);
    const { user } = deployment.replication!.database!;
    const role = await queryValue<boolean | undefined>(
      client,
      'SELECT rolreplication AND rolcanlogin FROM pg_roles WHERE rolname = $1',
      [user],
    );
    const found: Finding[] = [];
    const expect = (ok: boolean, message: string, hint: string): void => {
      if (!ok) found.push(wrong('replication', where, message, hint));
    };
    expect(
      !(await refusesWrites(client)),
      'the database refuses writes: a graceful failover has stopped them',
      'Where no run is under way (tyk-dr status): tyk-dr unfence DEPLOYMENT SITE gives them back; a new tyk-dr failover goes on.',
    );
    expect(
      walLevel !== 'minimal',
      `wal_level is ${walLevel}: nobody can follow`,
      'Set wal_level = replica in postgresql.conf, and restart PostgreSQL.',
    );
    expect(
      maxWalSenders >= MIN_SENDERS,
      `max_wal_senders is ${maxWalSenders}; expected at least ${MIN_SENDERS}`,
      'Raise it in postgresql.conf, and restart PostgreSQL.',
    );
    expect(
      rewindable,
      'data_checksums and wal_log_hints are off: after a failover this site needs a whole new copy',
      'Set wal_log_hints = on, or stop PostgreSQL and run pg_checksums --enable.',
    );
    expect(
      role === true,
      role === undefined ? `there is no role ${user}` : `the role ${user} may not log in to replicate`,
      'tyk-dr replicate DEPLOYMENT --to SITE makes the role, with the password of replication.database.',
    );
    return found.length > 0
      ? found
      : [fine('replication', where, `PostgreSQL can be followed: wal_level ${walLevel}, role ${user}`)];
  });
}

async function checkStandby(host: Host, source: Site): Promise<Finding[]> {
  const { site, worker } = host;
  const config = clusterIfOurs(site);
  const { redis } = site;
  return (
    await Promise.all([
      config && serves(worker, site, config) ? databaseDoor(host, source, config) : [],
      redis && serves(worker, site, redis) && source.redis ? redisDoor(host, redis, source.redis) : [],
    ])
  ).flat();
}

const HBA_HINT =
  'The source takes the role by pg_hba.conf (a line `host replication ROLE ADDRESS scram-sha-256`) with the password of replication.database; tyk-dr replicate sets the password anew.';

/** A stream that runs goes on for years with a password that no longer opens the door. */
async function databaseDoor(host: Host, source: Site, config: ClusterConfig): Promise<Finding[]> {
  const { where, deployment, secret } = host;
  const connection = await followed({ deployment, source, secret });
  const found: Finding[] = [];
  try {
    await identifySystem(connection);
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    const text = `the role ${connection.user} cannot follow from here: ${error.message}`;
    found.push(wrong('replication', where, text, HBA_HINT));
  }
  const passfile = passfileOf(config);
  const facts = await stat(passfile).catch(() => undefined);
  const again = 'tyk-dr replicate DEPLOYMENT --to SITE writes it.';
  if (!facts)
    found.push(wrong('replication', where, `${passfile} is not there: the stream cannot begin again`, again));
  else if ((facts.mode & 0o777) !== 0o600)
    found.push(
      wrong(
        'replication',
        where,
        `${passfile} has mode ${(facts.mode & 0o777).toString(8)}; expected 600: PostgreSQL ignores it, or others read it`,
        'chmod 600 the file.',
      ),
    );
  else if ((await readFile(passfile, 'utf8')) !== passfileLine(connection.user, connection.password))
    found.push(
      wrong(
        'replication',
        where,
        `${passfile} holds another password than replication.database: the stream cannot begin again`,
        again,
      ),
    );
  return found.length > 0
    ? found
    : [fine('replication', where, `PostgreSQL follows as ${connection.user}, also after a restart`)];
}

/** Sentinels write an address where a person would have written a name. */
async function isKept(master: string | undefined, source: RedisConfig): Promise<boolean> {
  const [host, port] = master?.split(' ') ?? [];
  if (!isWatched(source)) return master === `${source.host} ${source.port}`;
  return sameAddress({ host, port: Number(port) }, source);
}

async function redisDoor(host: Host, redis: RedisConfig, source: RedisConfig): Promise<Finding[]> {
  const { where, secret } = host;
  try {
    const password = source.password && (await secret(source.password)).reveal();
    const { role, master, file, masterauth } = await withRedis(
      await redisEndpoint(redis, secret),
      async (client) => ({ role: (await redisPosition(client)).role, ...(await keptMaster(client)) }),
    );
    // By its Sentinels: they are looked at elsewhere.
    if (role === 'master' && isWatched(redis)) return [];
    const expected = `${source.host} ${source.port}`;
    const kept = await isKept(master, source);
    if (!kept)
      return [
        wrong(
          'replication',
          where,
          `after a restart Redis would ${master === undefined ? 'be a master' : `follow ${master}`}: ${
            file === undefined ? 'it has no configuration file' : `${file} has no replicaof ${expected}`
          }`,
          `Put \`replicaof ${expected}\` into its configuration file.`,
        ),
      ];
    if ((masterauth ?? '') !== (password ?? ''))
      return [
        wrong(
          'replication',
          where,
          'masterauth is not the password of the Redis that it follows: the stream cannot begin again',
          'CONFIG SET masterauth and CONFIG REWRITE; or tyk-dr replicate DEPLOYMENT --to SITE.',
        ),
      ];
    return [fine('replication', where, `Redis follows ${expected}, also after a restart`)];
  } catch (error) {
    // That it does not answer is told with the standing of the standby.
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return [];
    throw error;
  }
}
