import { z } from 'zod';
import { approvals, approvers } from './config-approvals.ts';
import { beacon } from './config-beacon.ts';
import { copySchema } from './config-copies.ts';
import { drill } from './config-drill.ts';
import { fleet } from './config-fleet.ts';
import { gitRepository } from './config-git.ts';
import { argv, component, durationMs, host, line, name, path, port, secretRef, url } from './config-parts.ts';
import { load, slos } from './config-load.ts';
import { mongodb } from './config-mongodb.ts';
import { monitor } from './config-monitor.ts';
import { contacts, notify, vendorSupport } from './config-notify.ts';
import { metrics, schedules } from './config-watch.ts';
import { proof } from './config-proof.ts';
import { postgres } from './config-postgres.ts';
import { redis } from './config-redis.ts';
import { replication } from './config-replication.ts';
import { roles } from './config-roles.ts';
import { temporal } from './config-temporal.ts';
import { traffic } from './config-traffic.ts';
import { TIERS } from './objectives.ts';
import { STRATEGIES } from './strategy.ts';

/**
 * The schema of `tyk-dr.yaml`. Descriptions become the page `docs/generated/configuration.md`. Workflow code
 * never imports this file: it would carry zod into the sandbox.
 */

/** What is restored is put in place by these names: none may lead out of the root, or be the root. */
const below = line.regex(
  /^(?!\/)(?!(.*\/)?\.\.?(\/|$)).+/,
  'expected a path below root, without a step upwards and not root itself',
);

const tree = z.strictObject({
  root: path.describe('The folder that holds its configuration file and everything beside it.'),
  config: below.describe('The configuration file, relative to root.'),
  include: z
    .array(below)
    .default([])
    .describe(
      'Folders and files below root that belong to it: certificates, middleware, apps, policies, portal.',
    ),
});

const dashboard = z.strictObject({
  ...component,
  ...tree.shape,
  url,
  accessKey: secretRef.describe("A Dashboard user's access key, for the proofs."),
  adminSecret: secretRef.optional(),
  auditLog: path
    .optional()
    .describe(
      "The Dashboard's audit log in JSON (audit.path of tyk_analytics.conf). With a beacon, writes that stand there are kept outside the site, so that a recovery can name what was lost.",
    ),
});

const gateway = z.strictObject({
  name,
  ...component,
  ...tree.shape,
  url,
});

const pump = z.strictObject({ ...component, ...tree.shape, url: url.optional() });

const site = z.strictObject({
  worker: name.describe('The worker on its hosts; each component may name another.'),
  redis: redis.optional(),
  database: z.discriminatedUnion('kind', [postgres, mongodb]).optional(),
  dashboard: dashboard.optional(),
  gateways: z.array(gateway).min(1),
  pump: pump.optional(),
  provision: argv.optional().describe('Makes the hosts ready before anything else; must be repeatable.'),
  stateDir: path.describe(
    'Where tyk-dr keeps what belongs to the site: the fence marker `fenced` (start commands must honour it: while it exists nothing starts), the epoch of the run in command, locks.',
  ),
  fence: z
    .strictObject({
      command: argv
        .optional()
        .describe('Cuts the site off (network, power) where its services cannot be stopped.'),
    })
    .prefault({})
    .describe('How the site is kept from writing once it was given up, besides stopping its services.'),
  verify: proof
    .prefault({})
    .describe(
      'How backup verify proves sets beside this site, in scratch instances that are gone afterwards.',
    ),
  network: z
    .array(z.strictObject({ host, port, why: line.optional() }))
    .default([])
    .describe('Addresses that the site must reach before it can serve.'),
});

/** What follows the host in the address of a request. */
const requestPath = line.regex(/^\/\S*$/, 'expected a path that begins with / and has no blanks');

const probe = z.strictObject({
  name: line.max(80),
  method: z.enum(['GET', 'POST', 'PUT', 'DELETE', 'HEAD']).default('GET'),
  path: requestPath,
  key: secretRef.optional().describe('The API key to send in the Authorization header.'),
  expect: z
    .strictObject({
      status: z.int().min(100).max(599).default(200),
      bodyContains: line.optional(),
    })
    .prefault({}),
  proves: z
    .enum(['api', 'known-key', 'wrong-key', 'expired-key', 'revoked-key', 'quota', 'rate-limit'])
    .default('api')
    .describe(
      'What an answer as expected proves. revoked-key: a key that was revoked before the disaster, which no old backup may bring back.',
    ),
  tier: z.enum(TIERS).optional().describe("The tier of the API; default the deployment's."),
});

const backup = z.strictObject({
  repository: path.describe('Where backup sets are kept: outside every site.'),
  recipients: z
    .array(z.string().regex(/^age1[0-9a-z]{58}$/, 'expected an age recipient, age1...'))
    .min(2, 'expected at least two recipients, one of them offline'),
  identity: secretRef.describe('The age identity that opens the sets.'),
  otherIdentities: z
    .array(secretRef)
    .default([])
    .describe('Further age identities, such as those of before a rotation: tried after the first.'),
  signingKey: secretRef.describe('The Ed25519 private key (PEM) that signs manifests.'),
  trustedKeys: z
    .array(z.string().regex(/^ed25519:[A-Za-z0-9+/]{43}=$/, 'expected ed25519:BASE64 of a public key'))
    .min(1)
    .describe('Public keys whose signatures count.'),
  copies: z
    .array(copySchema)
    .default([])
    .describe(
      'Off-site copies, made by rclone after a set is sealed. A recovery takes them in this order where the repository lacks something.',
    ),
  keep: z
    .strictObject({
      last: z.int().min(1).default(1).describe('The newest so many.'),
      daily: z.int().min(0).default(0).describe('The newest of each of so many days.'),
      weekly: z.int().min(0).default(0),
      monthly: z.int().min(0).default(0),
      yearly: z.int().min(0).default(0),
      verified: z
        .int()
        .min(1)
        .default(2)
        .describe('So many verified sets stay whatever the other rules say.'),
      snapshots: z
        .int()
        .min(0)
        .default(3)
        .describe(
          'Of each kept set but the newest, the newest so many snapshots of each kind; the newest set keeps all of its own.',
        ),
    })
    .optional()
    .describe('What tyk-dr backup prune keeps; without it nothing is ever deleted.'),
  schedules: schedules.optional(),
  pgbackrest: z
    .strictObject({
      repository: path.describe('The root of the pgBackRest repositories, one folder per site generation.'),
      stanza: name,
      passphrase: secretRef,
      processes: z.int().min(1).max(64).default(2),
    })
    .optional(),
  git: gitRepository
    .optional()
    .describe(
      'Where the configuration and the definitions of every set are kept as readable text, without secrets; tagged set/ID once the set is verified.',
    ),
});

const deployment = z.strictObject({
  tier: z.enum(TIERS),
  strategy: z
    .enum(STRATEGIES)
    .default('backup-restore')
    .describe(
      "The guide's strategies. pilot-light: the stores of a standby site are replicas, the rest is installed and stopped; warm-standby: Dashboard and Gateways run there as well; hot: both sites serve.",
    ),
  replication: replication.optional().describe('Needed with every strategy but backup-restore.'),
  objectives: z
    .strictObject({ rto: durationMs.optional(), rpo: durationMs.optional() })
    .prefault({})
    .describe("Own objectives; default the tier's from the guide's table."),
  slos,
  load,
  organisation: line.describe('The id of the Tyk organisation that the proofs look at.'),
  secrets: z
    .strictObject({
      gateway: secretRef.describe('secret of tyk.conf and tyk_api_config.Secret of tyk_analytics.conf.'),
      node: secretRef.describe('node_secret of tyk.conf and shared_node_secret of tyk_analytics.conf.'),
      admin: secretRef.optional().describe('admin_secret of tyk_analytics.conf.'),
      certificate: secretRef.optional().describe('security.private_certificate_encoding_secret of both.'),
    })
    .describe('The one set of secrets that Dashboard and Gateways share.'),
  upstreams: z
    .strictObject({
      /** Share of active APIs whose upstream may be unreachable, percent. */
      unreachablePercent: z.number().min(0).max(100).default(0),
    })
    .prefault({})
    .describe('The upstreams of active APIs are reached before a Gateway starts.'),
  analytics: z
    .strictObject({
      path: requestPath,
      key: secretRef.optional(),
      requests: z.int().min(1).max(1000).default(5),
    })
    .optional()
    .describe('An API whose marked requests must arrive in the store through the Pump.'),
  witness: path
    .optional()
    .describe(
      'A file outside every site to which a client of yours appends one JSON line per request, {at, status, ms} (0 where no answer came; it must ask for APIs that exist): the outage as clients saw it goes into the report.',
    ),
  probes: z.array(probe).default([]),
  beacon: beacon.optional(),
  drill: drill.optional().describe('How and where recoveries are rehearsed.'),
  monitor: monitor.optional(),
  backup,
  notify: notify.optional(),
  contacts,
  vendorSupport,
  approvals: approvals.optional(),
  approvers: approvers.optional(),
  roles,
  traffic: traffic
    .optional()
    .describe('How the address of the clients is pointed at a site; without it a person does that.'),
  sites: z.record(name, site),
});

export const configSchema = z.strictObject({
  version: z.literal('tyk-dr/v1', 'expected tyk-dr/v1'),
  temporal: temporal
    .optional()
    .describe("Where Temporal is; Temporal's own environment variables and profiles win."),
  metrics: metrics.optional(),
  fleet: fleet.prefault({}),
  deployments: z.record(name, deployment),
});

export type Config = z.output<typeof configSchema>;
export type Deployment = Config['deployments'][string];
export type Site = Deployment['sites'][string];
export type RedisConfig = NonNullable<Site['redis']>;
export type DatabaseConfig = NonNullable<Site['database']>;
export type PostgresConfig = Extract<DatabaseConfig, { kind: 'postgresql' }>;
export type MongoConfig = Extract<DatabaseConfig, { kind: 'mongodb' }>;
/** One whose files are ours to read and to replace. */
export type ClusterConfig = PostgresConfig & {
  readonly dataDir: string;
  readonly pgbackrest: NonNullable<PostgresConfig['pgbackrest']>;
};
export type DashboardConfig = NonNullable<Site['dashboard']>;
export type GatewayConfig = Site['gateways'][number];
export type PumpConfig = NonNullable<Site['pump']>;
export type TrafficConfig = NonNullable<Deployment['traffic']>;
export type BackupConfig = Deployment['backup'];
export type PgbackrestRepository = NonNullable<BackupConfig['pgbackrest']>;
export type ReplicationConfig = NonNullable<Deployment['replication']>;
export type DrillConfig = NonNullable<Deployment['drill']>;
export type BeaconConfig = NonNullable<Deployment['beacon']>;
export type ProbeConfig = Deployment['probes'][number];
export type ApproverConfig = NonNullable<Deployment['approvers']>[number];
export type ServiceConfig = GatewayConfig['service'];
