import type { Deployment, Site } from '../../domain/config.ts';
import type { DnsTraffic } from '../../domain/config-traffic.ts';
import { spelledRecords } from '../../domain/traffic.ts';
import { commandOf, isSecretRef, type SecretRef } from '../../domain/secret.ts';
import { serviceCommands } from '../../domain/service-commands.ts';
import {
  addressesOnlyOf,
  copySecrets,
  endpointsOf,
  everySecret,
  managedOf,
  ownAddresses,
  treesOf,
} from './facts.ts';
import { branching, comment, list, word, words } from './words.ts';

/** The functions of a script that say how the sites of this very deployment are driven. Pure. */

export function commands(deployment: Deployment, siteName: string): string[] {
  const site = deployment.sites[siteName]!;
  const sites = Object.entries(deployment.sites);
  return [
    ...serviceFunction(sites),
    '',
    ...branching(
      'services_of',
      'services_of SITE: into SERVICES, in the order in which they start.',
      sites.map(([each, own]) => [
        each,
        [
          list(
            'SERVICES',
            servicesOf(own).map(([name]) => name),
          ),
        ],
      ]),
      ['SERVICES=()'],
    ),
    '',
    ...branching(
      'managed_of',
      'managed_of SITE: the stores that others run, into MANAGED.',
      sites.map(([each, own]) => [each, [list('MANAGED', managedOf(own))]]),
      ['MANAGED=()'],
    ),
    '',
    ...branching(
      'source_addresses',
      'source_addresses SITE: of what is started and stopped there: component, host and port of each, into ADDRESSES.',
      sites.map(([each, own]) => [
        each,
        [
          list(
            'ADDRESSES',
            ownAddresses(own).flatMap(({ component, host, port }) => [component, host, port]),
          ),
        ],
      ]),
      ['ADDRESSES=()'],
    ),
    '',
    ...branching(
      'source_only',
      'source_only SITE: the addresses that nothing on the target may name any more, as JSON.',
      sites.map(([each, own]) => [
        each,
        [
          `printf '%s' ${word(JSON.stringify(addressesOnlyOf(own, site).map(({ host, port }) => ({ host, port }))))}`,
        ],
      ]),
      [`printf '[]'`],
    ),
    '',
    ...branching(
      'fence_command',
      'fence_command SITE: cuts it off, where the configuration says how.',
      sites.flatMap(([each, { fence }]) =>
        fence.command
          ? [
              [
                each,
                [
                  `TYK_DR_SITE=${word(each)} TYK_DR_RUN="\${RUN:-}" ${words(fence.command)} </dev/null >&2 9>&- || fail 10 ${word(`the fence command of ${each} failed`)} 'Cut it off in another way, then say --yes-fenced REASON.'`,
                  `EVIDENCE="isolated by the configured command; $EVIDENCE"`,
                ],
              ] as const,
            ]
          : [],
      ),
    ),
    '',
    ...provisionFunction(siteName, site),
    '',
    ...branching(
      'tree',
      'tree NAME: where a component of this site has its configuration, and what must be in it.',
      treesOf(site).map((tree) => [
        tree.name,
        [
          `TREE_KIND=${word(tree.kind)} TREE_ROOT=${word(tree.root)} TREE_CONFIG=${word(tree.config)}`,
          list('TREE_ENTRIES', tree.entries),
          `TREE_ENDPOINTS=${word(JSON.stringify(endpointsOf(site, tree)))}`,
        ],
      ]),
      [`fail 2 "no component $1 on $TO" 'This is a bug of the script.'`],
    ),
    '',
    ...branching(
      'old_root',
      'old_root SITE OBJECT: where the component lay on the site that the set was made of.',
      sites.flatMap(([each, own]) =>
        treesOf(own).map((tree) => [`${each} ${tree.name}`, [`printf '%s' ${word(tree.root)}`]] as const),
      ),
      [`printf '%s' "$TREE_ROOT"`],
    ).map((line) => line.replace('case $1 in', 'case "$1 $2" in')),
    '',
    ...branching(
      'object_for',
      'object_for NAME: the object of the set that a component takes over: of the same name, else the first Gateway’s.',
      sites.map(([each, { gateways }]) => [each, [`printf '%s' ${word(`gateway-${gateways[0]!.name}`)}`]]),
      [`printf '%s' "$1"`],
    ).map((line) =>
      line.replace(
        'case $1 in',
        `if has_object "$1"; then printf '%s' "$1"; return; fi\n  case "$(fact .site)" in`,
      ),
    ),
    '',
    ...secretFunctions(deployment, site),
    '',
    ...copiesFunction(deployment),
    '',
    ...trafficFunctions(deployment),
    ...programsFunction(site),
  ];
}

type ServiceRow = readonly [string, Parameters<typeof serviceCommands>[0]];

/** By the names that people use for them. */
function servicesOf(site: Site): ServiceRow[] {
  return [
    ...(site.redis?.service ? [['redis', site.redis.service] as const] : []),
    ...(site.database?.service ? [['database', site.database.service] as const] : []),
    ...(site.dashboard ? [['dashboard', site.dashboard.service] as const] : []),
    ...site.gateways.map((gateway) => [`gateway ${gateway.name}`, gateway.service] as const),
    ...(site.pump ? [['pump', site.pump.service] as const] : []),
  ];
}

function serviceFunction(sites: readonly (readonly [string, Site])[]): string[] {
  const rows = sites.flatMap(([siteName, site]) =>
    servicesOf(site).flatMap(([name, service]) =>
      Object.entries(serviceCommands(service)).map(
        ([action, argv]) =>
          `    ${word(`${siteName} ${name} ${action}`)}) ${words(argv as readonly string[])} ;;`,
      ),
    ),
  );
  return [
    comment('service SITE SERVICE start|stop|status: the commands of tyk-dr.yaml, word by word.'),
    'service() {',
    '  case "$1 $2 $3" in',
    ...rows,
    '    *) return 127 ;;',
    '  esac',
    '}',
  ];
}

/** The owner's own commands; they must be repeatable. */
function provisionFunction(siteName: string, site: Site): string[] {
  const run = (argv: readonly string[] | undefined, version: string): string[] =>
    argv
      ? [
          `  TYK_DR_SITE=${word(siteName)} TYK_DR_VERSION="${version}" ${words(argv)} </dev/null >&2 9>&- || fail 10 'a command that makes the host ready failed' 'Its words stand above.'`,
        ]
      : [];
  const lines = [
    ...run(site.provision, ''),
    ...run(site.redis?.install, '$(fact .redis.version)'),
    ...run(site.database?.install, '$(fact .database.version)'),
    ...run(site.dashboard?.install, '$(fact .versions.dashboard)'),
    ...site.gateways.flatMap(({ install }) => run(install, '$(fact .versions.gateway)')),
    ...run(site.pump?.install, '$(fact .versions.pump)'),
  ];
  return [
    comment('provision_commands: what makes this host ready, as configured.'),
    'provision_commands() {',
    ...(lines.length > 0 ? lines : ['  :']),
    '}',
  ];
}

function secretFunctions(deployment: Deployment, site: Site): string[] {
  const { identity, otherIdentities } = deployment.backup;
  const all = [...everySecret(deployment, site), identity, ...otherIdentities, ...copySecrets(deployment)];
  const asked = [...new Set(all)].filter((reference) => reference.startsWith('command:'));
  return branching(
    'secret_by_command',
    'secret_by_command REFERENCE: asks the program that keeps it.',
    asked.map((reference) => [
      reference,
      [`timeout 30 ${words(commandOf(reference as SecretRef) ?? ['false'])} </dev/null 9>&-`],
    ]),
    [
      `fail 10 "the secret $1 is not known to this script" 'Export it again, or say --secret REFERENCE=FILE.'`,
    ],
  );
}

/** The off-site copies, as rclone is told of them. */
function copiesFunction({ backup }: Deployment): string[] {
  return branching(
    'copy_remote',
    'copy_remote COPY: what rclone calls it, and its options; secrets by reference.',
    backup.copies.map(({ name, remote, rcloneConfig = '' }) => {
      const inline = typeof remote === 'string' ? undefined : remote;
      const options = Object.entries(inline?.options ?? {});
      const isSecret = ([, value]: [string, unknown]): boolean =>
        typeof value === 'string' && isSecretRef(value);
      return [
        name,
        [
          `REMOTE=${word(inline ? `TYKDR:${inline.path}` : String(remote))} REMOTE_TYPE=${word(inline?.type ?? '')} RCLONE_FILE=${word(rcloneConfig)}`,
          list('REMOTE_OPTIONS', [
            ...(inline ? ['type', inline.type] : []),
            ...options
              .filter((each) => !isSecret(each))
              .flatMap(([option, value]) => [option, String(value)]),
          ]),
          list(
            'REMOTE_SECRETS',
            options.filter(isSecret).flatMap(([option, value]) => [option, String(value)]),
          ),
        ],
      ];
    }),
    ['return 1'],
  );
}

function trafficFunctions({ traffic }: Deployment): string[] {
  if (!traffic) return ['check_traffic() { :; }', ''];
  if (traffic.kind === 'command') return [];
  const [name, about, into, bySite] =
    traffic.kind === 'haproxy'
      ? (['servers_of', 'its servers in the load balancer', 'SERVERS', traffic.servers] as const)
      : ([
          'records_of',
          'its records, as a name server writes them',
          'RECORDS',
          recordsBySite(traffic),
        ] as const);
  const cases = Object.entries(bySite).map(([site, own]): [string, string[]] => [site, [list(into, own)]]);
  return [...branching(name, `${name} SITE: ${about}, into ${into}.`, cases, [`${into}=()`]), ''];
}

function recordsBySite({ type, records }: DnsTraffic): Record<string, string[]> {
  return Object.fromEntries(Object.entries(records).map(([site, own]) => [site, spelledRecords(type, own)]));
}

function programsFunction({ redis, database }: Site): string[] {
  return [
    comment('The programs that this site’s stores need.'),
    'check_programs_of_stores() {',
    '  :',
    ...(redis ? ['  need redis-cli redis-tools'] : []),
    ...(redis?.method === 'files' ? ['  need "$REDIS_BINARY" redis-server'] : []),
    ...(redis?.method === 'commands' ? ['  need perl perl'] : []),
    ...(database ? ['  need psql postgresql-client', '  check_database_programs'] : []),
    '}',
    '',
  ];
}
