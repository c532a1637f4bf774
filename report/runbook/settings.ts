import type {
  BackupConfig,
  Deployment,
  PostgresConfig,
  ProbeConfig,
  Site,
  TrafficConfig,
} from '../../domain/config.ts';
import { absolute } from '../../domain/traffic.ts';
import { everySecret, namedSecrets, ownAddresses, treesOf } from './facts.ts';
import type { ScriptInput } from './script.ts';
import { list, word } from './words.ts';

/** The settings at the top of a script: everything that `tyk-dr.yaml` says of this deployment and site. Pure. */

/** Of the files that the script writes for pgBackRest; the same as tyk-dr's own. */
const PGBACKREST_OPTIONS = (processes: number): string =>
  [
    'repo1-retention-full=9999999',
    'expire-auto=n',
    'compress-type=zst',
    'compress-level=3',
    `process-max=${processes}`,
    'start-fast=y',
    'archive-timeout=120',
  ].join('\n');

export function settings(input: ScriptInput): string[] {
  const { deployment, name, site: siteName, writtenAt, configDigest, plans } = input;
  const site = deployment.sites[siteName]!;
  const others = Object.keys(deployment.sites).filter((other) => other !== siteName);
  return [
    `SCRIPT_NAME=${word(`recover-${siteName}.sh`)}`,
    `WRITTEN_AT=${word(writtenAt)}`,
    `DEPLOYMENT=${word(name)}`,
    `TIER=${word(deployment.tier)}`,
    `TO=${word(siteName)}`,
    `DEFAULT_FROM=${word(others[0] ?? siteName)}`,
    list('SITES', Object.keys(deployment.sites)),
    `ORGANISATION=${word(deployment.organisation)}`,
    `CONFIG_DIGEST=${word(configDigest)}`,
    '# Of the plan that tyk-dr itself would compile, by the site that is given up.',
    'declare -A PLAN_DIGESTS STATE_DIRS GATEWAY_URLS SECRET_FILES=()',
    ...plans.map(({ from, digest }) => `PLAN_DIGESTS[${word(from)}]=${word(digest)}`),
    ...Object.entries(deployment.sites).map(
      ([each, { stateDir }]) => `STATE_DIRS[${word(each)}]=${word(stateDir)}`,
    ),
    `STATE_DIR=${word(site.stateDir)}`,
    '',
    '# The backup sets, whose signatures count, and what opens them. Secrets are named here and lie elsewhere.',
    `REPOSITORY=${word(deployment.backup.repository)}`,
    list(
      'COPIES',
      deployment.backup.copies.map((copy) => copy.name),
    ),
    list('TRUSTED_KEYS', deployment.backup.trustedKeys),
    list('IDENTITIES', [deployment.backup.identity, ...deployment.backup.otherIdentities]),
    list('SECRETS', everySecret(deployment, site)),
    list('NAMED_SECRETS', namedSecrets(deployment, site).flat()),
    `GATEWAY_SECRET=${word(deployment.secrets.gateway)}`,
    '',
    ...storeSettings(deployment, site),
    '# Folders whose data are replaced, and addresses that must be free before.',
    list('DATA_FOLDERS', dataFolders(site)),
    list(
      'PORTS',
      ownAddresses(site).flatMap(({ name: what, host, port }) => [what, bare(host), port]),
    ),
    list(
      'NETWORK',
      site.network.flatMap(({ host, port }) => [host, port]),
    ),
    list('SERVER_TREES', serverTrees(site)),
    '',
    '# Dashboard, Gateways, Pump, and the requests that prove them.',
    `DASHBOARD_URL=${word(site.dashboard?.url ?? '')}`,
    `DASHBOARD_KEY=${word(site.dashboard?.accessKey ?? '')}`,
    list(
      'GATEWAYS',
      site.gateways.map((gateway) => gateway.name),
    ),
    ...site.gateways.map((gateway) => `GATEWAY_URLS[${word(gateway.name)}]=${word(gateway.url)}`),
    `PUMP_URL=${word(site.pump?.url ?? '')}`,
    list(
      'TREES',
      treesOf(site).map((tree) => tree.name),
    ),
    `UNREACHABLE_PERCENT=${word(deployment.upstreams.unreachablePercent)}`,
    '# Each: name, what it proves, method, path, key, status, text that the answer must hold.',
    'PROBES=(',
    ...deployment.probes.map((probe) => `  ${probeWords(probe)}`),
    ')',
    `ANALYTICS_PATH=${word(deployment.analytics?.path ?? '')}`,
    `ANALYTICS_KEY=${word(deployment.analytics?.key ?? '')}`,
    `ANALYTICS_REQUESTS=${word(deployment.analytics?.requests ?? 0)}`,
    '',
    ...trafficSettings(deployment),
  ];
}

function probeWords({ name, proves, method, path, key, expect }: ProbeConfig): string {
  const fields = [name, proves, method, path, key ?? '', expect.status, expect.bodyContains ?? ''];
  return fields.map(word).join(' ');
}

function storeSettings({ backup }: Deployment, { redis, database }: Site): string[] {
  const lines: string[] = [...(redis ? [] : ['REDIS_METHOD=']), ...(database ? [] : ['DB_METHOD='])];
  if (redis) {
    const { tls } = redis;
    const options = [
      ...['-h', redis.host, '-p', redis.port, '-n', redis.database],
      ...(redis.username === undefined ? [] : ['--user', redis.username]),
      ...(tls ? ['--tls'] : []),
      ...(tls?.ca === undefined ? [] : ['--cacert', tls.ca]),
      ...(tls?.cert === undefined ? [] : ['--cert', tls.cert]),
      ...(tls?.key === undefined ? [] : ['--key', tls.key]),
      ...(tls?.serverName === undefined ? [] : ['--sni', tls.serverName]),
    ];
    lines.push(
      '# Redis',
      list('REDIS_CLI', options),
      `REDIS_METHOD=${word(redis.method)}`,
      `REDIS_PASSWORD=${word(redis.password ?? '')}`,
      `REDIS_DATA_DIR=${word(redis.dataDir ?? '')}`,
      ...(redis.method === 'files'
        ? [`REDIS_CONFIG_FILE=${word(redis.configFile ?? '')}`, `REDIS_BINARY=${word(redis.binary)}`]
        : []),
      `REDIS_RUN_AS=${word(redis.runAs ?? '')}`,
      '',
    );
  }
  if (database?.kind === 'postgresql') {
    const { tls } = database;
    lines.push(
      '# PostgreSQL',
      `DB_METHOD=${word(database.method)}`,
      `DB_HOST=${word(database.host)}`,
      `DB_PORT=${word(database.port)}`,
      `DB_NAME=${word(database.name)}`,
      `DB_USER=${word(database.user)}`,
      `DB_PASSWORD=${word(database.password)}`,
      `DB_ADMIN_USER=${word(database.admin.user)}`,
      `DB_ADMIN_PASSWORD=${word(database.admin.password ?? '')}`,
      `DB_SSLMODE=${word(tls ? 'verify-full' : 'prefer')}`,
      `DB_SSLROOTCERT=${word(tls ? (tls.caFile ?? '/etc/ssl/certs/ca-certificates.crt') : '')}`,
      `DB_BIN_DIR=${word(database.binDir)}`,
      ...(database.method === 'dump' ? [`DB_JOBS=${word(database.jobs)}`] : physical(backup, database)),
      '',
    );
  }
  return lines;
}

/** Of a cluster whose files are ours to replace. */
function physical(
  { pgbackrest }: BackupConfig,
  { dataDir, runAs, pgbackrest: own }: PostgresConfig,
): string[] {
  return [
    `DB_DATA_DIR=${word(dataDir ?? '')}`,
    `DB_RUN_AS=${word(runAs ?? '')}`,
    `PGBACKREST_ROOT=${word(pgbackrest?.repository ?? '')}`,
    `PGBACKREST_STANZA=${word(pgbackrest?.stanza ?? '')}`,
    `PGBACKREST_PASSPHRASE=${word(pgbackrest?.passphrase ?? '')}`,
    `PGBACKREST_PROCESSES=${word(pgbackrest?.processes ?? 2)}`,
    `PGBACKREST_OPTIONS=${word(PGBACKREST_OPTIONS(pgbackrest?.processes ?? 2))}`,
    `PGBACKREST_CONF=${word(own?.configFile ?? '')}`,
    `PGBACKREST_LOCK=${word(own?.lockPath ?? '')}`,
    `PGBACKREST_SPOOL=${word(own?.spoolPath ?? '')}`,
    `PGBACKREST_LOG=${word(own?.logPath ?? '')}`,
  ];
}

function trafficSettings({ traffic, witness }: Deployment): string[] {
  if (!traffic)
    return ['# No load balancer is configured: whoever points clients at the target does it by hand.'];
  return [
    '# What leads the clients to a site',
    ...switchSettings(traffic),
    `TRAFFIC_URL=${word(traffic.url)}`,
    `WITNESS=${word(witness ?? '')}`,
  ];
}

function switchSettings(traffic: TrafficConfig): string[] {
  switch (traffic.kind) {
    case 'haproxy':
      return [
        `HAPROXY_SOCKET=${word(traffic.socket)}`,
        `HAPROXY_BACKEND=${word(traffic.backend)}`,
        `HAPROXY_STATE_FILE=${word(traffic.stateFile ?? '')}`,
        `HAPROXY_UP_SECONDS=${seconds(traffic.upTimeout)}`,
      ];
    case 'dns':
      return [
        `DNS_SERVER=${word(traffic.server)}`,
        `DNS_PORT=${word(traffic.port)}`,
        `DNS_ZONE=${word(absolute(traffic.zone))}`,
        `DNS_NAME=${word(absolute(traffic.name))}`,
        `DNS_TYPE=${word(traffic.type)}`,
        `DNS_TTL=${word(traffic.ttl / 1000)}`,
        `DNS_KEY=${word(traffic.key.name)}`,
        `DNS_ALGORITHM=${word(traffic.key.algorithm)}`,
        `DNS_SECRET=${word(traffic.key.secret)}`,
      ];
    case 'command':
      return [
        list('TRAFFIC_SWITCH', traffic.switch),
        list('TRAFFIC_STATUS', traffic.status),
        list('TRAFFIC_HOLD', traffic.holdOut ?? []),
        `TRAFFIC_HOLDS_SECONDS=${seconds(traffic.holdsWithin)}`,
      ];
  }
}

/** Whole ones, as bash counts; not fewer than configured. */
const seconds = (ms: number): number => Math.ceil(ms / 1000);

function dataFolders({ redis, database }: Site): string[] {
  return [
    ...(redis?.dataDir === undefined ? [] : ['redis', redis.dataDir]),
    ...(database?.kind === 'postgresql' && database.dataDir !== undefined
      ? ['database', database.dataDir]
      : []),
  ];
}

/** The servers' own configuration: an object of the set, and the folder of the file here. */
function serverTrees({ redis, database }: Site): string[] {
  const folder = (file: string): string => file.replace(/\/[^/]*$/, '') || '/';
  return [
    ...(redis?.configFile === undefined ? [] : ['redis-server', folder(redis.configFile)]),
    ...(database?.configFile === undefined ? [] : [`${database.kind}-server`, folder(database.configFile)]),
  ];
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
