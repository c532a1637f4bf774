import type { Deployment, Site } from '../../domain/config.ts';
import { escape, row, table } from '../html-parts.ts';
import { byHand, componentsOf } from './facts.ts';
import { word, words } from './words.ts';

/** The part of the page for a site without a script: what a person types, with this deployment's own values. Pure. */

export interface ByHandInput {
  readonly name: string;
  readonly deployment: Deployment;
  /** `parts/by-hand.sh`: the commands of docs/restore-by-hand.md, which are tested. */
  readonly commands: string;
}

export function byHandSection({ name, deployment, commands }: ByHandInput, siteName: string): string {
  const site = deployment.sites[siteName]!;
  const part = (title: string): string[] => sectionOf(commands, title);
  const steps: [string, readonly string[]][] = [
    [
      'Say where things are; SET is a folder of the repository that has a manifest.json',
      places(name, deployment),
    ],
    [
      'Is the set what was signed, and whole? Compare the signer with the table of this page',
      part('signature'),
    ],
    ['Open every object of it', part('open')],
    [
      'Configuration: unpack it, then write the addresses, secrets and paths of this site into each file',
      part('config'),
    ],
    ...redis(site, part('redis')),
    ...database(site, part('postgresql')),
    ['The requests that prove it, on every Gateway, before any traffic', proofs(deployment, site)],
  ];
  return `<section><h2>Site ${escape(siteName)}: by hand</h2>
<p>There is no script for it: ${escape(byHand(deployment, siteName).join('; '))}. So the fence, the order, the proofs and the traffic are yours. Follow the plan of ${escape(siteName)} below step by step; these are the commands for it. Stop at the first that fails.</p>
${table(
  ['component', 'on the host of worker'],
  componentsOf(site).map(([component, worker]) => row([component, worker])),
)}
<ol>${steps.map(([what, lines]) => `<li>${escape(what)}<pre>${escape(lines.join('\n'))}</pre></li>`).join('\n')}</ol></section>`;
}

/** The lines between `#== title` and the next one. */
function sectionOf(commands: string, title: string): string[] {
  const [, text = ''] = commands.split(`#== ${title}\n`);
  return text.split('\n#== ')[0]!.trimEnd().split('\n');
}

function places(name: string, { backup }: Deployment): string[] {
  return [
    'set -euo pipefail; umask 077',
    `export REPO=${word(backup.repository)} DEPLOYMENT=${word(name)}`,
    'export SET=20261124T031500Z-1f2e          # the newest: ls "$REPO/$DEPLOYMENT"',
    'export KEY=$HOME/age-offline              # the age identity from the safe, or that of the worker',
    'export OUT=$HOME/restored REDIS_PORT=6390 POSTGRES_PORT=5499',
    'mkdir -p "$OUT"; cd "$REPO/$DEPLOYMENT/$SET"',
  ];
}

function redis({ redis: config }: Site, load: readonly string[]): [string, readonly string[]][] {
  if (!config) return [];
  const { sentinel, cluster, host, port } = config;
  const scratch: [string, readonly string[]] = [
    'Redis: load it into a scratch server',
    [
      '# A set that was made by files holds an RDB:',
      ...load,
      '# One that was made by commands holds a file of keys ("method": "commands" in manifest.json):',
      'redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save "" --daemonize yes',
      'perl redis-keys.pl <"$OUT/redis" | redis-cli -p "$REDIS_PORT" --pipe',
      '# Analytics that the Pump had already taken:',
      `redis-cli -p "$REDIS_PORT" --scan --pattern 'analytics-*' | xargs -r -n 1 redis-cli -p "$REDIS_PORT" unlink`,
    ],
  ];
  if (cluster) {
    const [node] = cluster.nodes;
    return [
      scratch,
      [
        'Redis: from there into the Cluster, which must be empty; the password by REDISCLI_AUTH',
        [
          `redis-cli --cluster check ${word(node ?? '')}`,
          `redis-cli --cluster import ${word(node ?? '')} --cluster-from "127.0.0.1:$REDIS_PORT" --cluster-copy`,
        ],
      ],
    ];
  }
  const [at = host, on = port] = sentinel ? ['MASTER-HOST', 'MASTER-PORT'] : [];
  return [
    scratch,
    [
      'Redis: from there into the master, which must be empty',
      [
        ...(sentinel
          ? [
              `redis-cli -h ${sentinel.nodes[0]!.replace(':', ' -p ')} sentinel get-master-addr-by-name ${word(sentinel.name)}`,
            ]
          : []),
        '# Of a file of keys, straight (the password by REDISCLI_AUTH):',
        `perl redis-keys.pl <"$OUT/redis" | redis-cli -h ${at} -p ${on} -n ${config.database} --pipe`,
        '# Of an RDB: where the files of the server can be reached, stop it and let this be its dump.rdb (with appendonly no);',
        '# else let its own provider import "$OUT/redis", which is an RDB.',
      ],
    ],
  ];
}

function database({ database: config }: Site, physical: readonly string[]): [string, readonly string[]][] {
  if (!config) return [];
  const { host, port, name } = config;
  if (config.kind === 'mongodb')
    return [
      [
        'MongoDB: bring the files of mongodump’s format into their folders',
        [
          String.raw`jq -r '.objects as $o | .database | (.collections[] | .path as $p`,
          String.raw`      | [.metadata, "\($p).metadata.json"], (select(.data) | [.data, "\($p).bson"])),`,
          String.raw`    (.oplog // empty | [.data, "oplog.bson"]) | "\(.[0])\t\(.[1])"' manifest.json |`,
          String.raw`while IFS=$'\t' read -r object path; do mkdir -p "$OUT/dump/$(dirname "$path")"; mv "$OUT/$object" "$OUT/dump/$path"; done`,
        ],
      ],
      [
        'MongoDB: keep what is there, then replace it (mongodb-database-tools; --oplogReplay where there is dump/oplog.bson)',
        [
          `mongodump --host ${word(host)} --port ${port} --db ${word(name)} --out "$OUT/before"${credentials(config)}`,
          `mongorestore --host ${word(host)} --port ${port} --drop "$OUT/dump"${credentials(config)}`,
        ],
      ],
    ];
  if (config.method === 'dump')
    return [
      [
        'PostgreSQL: into a new database beside the old one, then rename both',
        [
          `export PGHOST=${word(host)} PGPORT=${port} PGUSER=${word(config.admin.user)} NAME=${word(name)}`,
          'for part in control analytics; do if [ -f "$OUT/dump-$part" ]; then tar -xf "$OUT/dump-$part" -C "$OUT"; fi; done',
          `psql -d postgres -c "CREATE ROLE \\"${config.user}\\" LOGIN" # where it is missing; then \\password`,
          'createdb --template=template0 --encoding=UTF8 tyk_dr_new',
          'pg_restore --exit-on-error -d tyk_dr_new --section=pre-data --section=data "$OUT/control"',
          'if [ -d "$OUT/analytics" ]; then pg_restore --exit-on-error -d tyk_dr_new --section=data "$OUT/analytics"; fi',
          'pg_restore --exit-on-error -d tyk_dr_new --section=post-data "$OUT/control"',
          '# Nothing may be connected:',
          'psql -d postgres -c "ALTER DATABASE \\"$NAME\\" RENAME TO tyk_dr_old" -c "ALTER DATABASE tyk_dr_new RENAME TO \\"$NAME\\""',
        ],
      ],
    ];
  return [
    ['PostgreSQL: restored into a folder of its own, and looked at', physical],
    [
      'PostgreSQL: into its place, on its own host; archiving stays off until it has a repository of its own',
      [
        'pg_ctl -D "$OUT/postgresql" -m fast stop',
        `mv -T ${word(config.dataDir ?? 'DATA')} ${word(`${config.dataDir ?? 'DATA'}.before`)} && cp -a "$OUT/postgresql" ${word(config.dataDir ?? 'DATA')}`,
        ...(config.runAs === undefined
          ? []
          : [`chown -R ${words([`${config.runAs}:`, config.dataDir ?? 'DATA'])}`]),
      ],
    ],
  ];
}

function credentials({ user, authSource }: { user?: string | undefined; authSource: string }): string {
  return user === undefined ? '' : ` --username ${word(user)} --authenticationDatabase ${word(authSource)}`;
}

/** The keys are read from where they lie: none of them is on the page. */
function proofs({ probes }: Deployment, { gateways }: Site): string[] {
  return gateways.flatMap(({ url }) => [
    `curl -s ${word(`${url.replace(/\/$/, '')}/hello`)}   # "pass" for redis and for dashboard`,
    ...probes.map(
      ({ name, method, path, key, expect }) =>
        `curl -s -o /dev/null -w '%{http_code}\\n' -X ${method} ${word(url.replace(/\/$/, '') + path)}${
          key === undefined ? '' : ` -H "Authorization: ${keyText(key)}"`
        }   # ${name}: ${expect.status}`,
    ),
  ]);
}

function keyText(key: string): string {
  const [kind, at] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
  if (kind === 'file') return `$(cat ${word(at)})`;
  return kind === 'env' ? `$${at}` : 'KEY';
}
