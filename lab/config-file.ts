import { createPrivateKey, createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { replicates } from '../domain/strategy.ts';
import { haproxySocket, haproxyStateFile, serverName } from './haproxy.ts';
import { ageRecipient, readKey } from './keys.ts';
import {
  configFile,
  GATEWAYS,
  hasDatabase,
  keyFile,
  localUrl,
  outside,
  siteDir,
  sitePort,
  SITES,
  type Lab,
  type SiteName,
} from './layout.ts';
import { ferretdbCommand } from './mongodb.ts';
import { serviceCommand } from './services.ts';
import { PG_BIN } from './stores.ts';
import { temporalAddress } from './temporal.ts';
import { tykProgram, versionCommand } from './tyk-site.ts';
import { onThisLab } from './wishes.ts';

/** The lab is only a config: an ordinary tyk-dr.yaml that points at its processes. */

/** What the seeding found out and the proofs need: keys in files, paths, the organisation. */
export interface ProbeFacts {
  readonly organisation: string;
  readonly keylessPath: string;
  readonly keyedPath: string;
  readonly quotaPath: string;
  readonly rateLimitPath: string;
  /** Names of key files. */
  readonly keys: {
    readonly good: string;
    readonly wrong: string;
    readonly expired: string;
    readonly revoked: string;
    readonly quota: string;
    readonly rate: string;
    readonly dashboard: string;
  };
}

/** Nobody real: whoever tries a drill in the lab plays them. */
const EXAMPLE_ROLES = {
  'incident-commander': {
    duty: 'declares the disaster, decides, and speaks for the recovery',
    people: ['ann'],
    deputies: ['bob'],
  },
  'database-engineer': { duty: 'knows the stores and what was lost of them', people: ['carl', 'dora'] },
  communications: { duty: 'tells clients and management', people: ['eve'], deputies: ['ann'] },
};

const SLOS = { availabilityPercent: 99, errorPercent: 1, p95Ms: 2_000, p99Ms: 4_000, requestsPerSecond: 10 };

export async function writeConfig(lab: Lab, facts: ProbeFacts): Promise<void> {
  const file = (name: string): string => `file:${keyFile(lab, name)}`;
  const signing = createPublicKey(createPrivateKey(await readKey(lab, 'signing-key')));
  const raw = signing.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
  const withDashboard = lab.mode === 'dashboard';
  const wishes = lab.wishes ? onThisLab(lab, lab.wishes) : {};
  const config = {
    version: 'tyk-dr/v1',
    temporal: { address: temporalAddress(lab), namespace: 'default', ui: localUrl(lab.ports['temporal-ui']) },
    deployments: {
      [lab.deployment]: {
        tier: 'critical',
        ...wishes,
        ...(replicates(lab.strategy)
          ? {
              strategy: lab.strategy,
              replication: {
                ...(wishes['replication'] as object | undefined),
                ...(withDashboard ? { database: { password: file('postgres-replication-password') } } : {}),
                ...(lab.strategy === 'warm-standby' ? { gateways: 1 } : {}),
              },
            }
          : // A standby is no place for drills.
            { drill: { site: 'dr' } }),
        // On a machine that does everything at once; what a lab measures is shown beside them.
        slos: wishes['slos'] ?? SLOS,
        load: wishes['load'] ?? { requestsPerSecond: 20, duration: lab.loadTime ?? '10s' },
        organisation: facts.organisation,
        secrets: {
          gateway: file('gateway-secret'),
          node: file('node-secret'),
          ...(withDashboard ? { admin: file('admin-secret') } : {}),
          certificate: file('certificate-secret'),
        },
        ...(withDashboard ? { analytics: { path: facts.keylessPath, requests: 5 } } : {}),
        witness: outside(lab, 'witness', 'clients.jsonl'),
        beacon: {},
        roles: wishes['roles'] ?? EXAMPLE_ROLES,
        probes: [
          { name: 'keyless API', path: facts.keylessPath, proves: 'api' },
          { name: 'known key', path: facts.keyedPath, key: file(facts.keys.good), proves: 'known-key' },
          {
            name: 'wrong key',
            path: facts.keyedPath,
            key: file(facts.keys.wrong),
            expect: { status: 403 },
            proves: 'wrong-key',
          },
          {
            name: 'expired key',
            path: facts.keyedPath,
            key: file(facts.keys.expired),
            expect: { status: 401 },
            proves: 'expired-key',
          },
          {
            name: 'revoked key',
            path: facts.keyedPath,
            key: file(facts.keys.revoked),
            expect: { status: 403 },
            proves: 'revoked-key',
          },
          { name: 'quota', path: facts.quotaPath, key: file(facts.keys.quota), proves: 'quota' },
          { name: 'rate limit', path: facts.rateLimitPath, key: file(facts.keys.rate), proves: 'rate-limit' },
        ],
        backup: {
          repository: outside(lab, 'sets'),
          recipients: [await ageRecipient(lab, 'age-operational'), await ageRecipient(lab, 'age-offline')],
          identity: file('age-operational'),
          signingKey: file('signing-key'),
          trustedKeys: [`ed25519:${raw}`],
          git: { repository: outside(lab, 'config.git') },
          keep: { last: 3, daily: 14, weekly: 8, monthly: 12, verified: 2 },
          ...(hasDatabase(lab, 'postgresql') && lab.databaseMethod !== 'dump'
            ? {
                pgbackrest: {
                  repository: outside(lab, 'pgbackrest'),
                  stanza: lab.deployment,
                  passphrase: file('pgbackrest-passphrase'),
                },
              }
            : {}),
        },
        traffic: {
          kind: 'haproxy',
          socket: haproxySocket(lab),
          backend: 'gateways',
          servers: Object.fromEntries(
            SITES.map((site) => [site, GATEWAYS.map((gateway) => serverName(site, gateway))]),
          ),
          stateFile: haproxyStateFile(lab),
          url: localUrl(lab.ports.traffic),
        },
        sites: Object.fromEntries(SITES.map((site) => [site, siteConfig(lab, site, facts)])),
      },
    },
  };
  const header =
    '# Written by tyk-dr lab. An ordinary configuration: every driver in it is one that production uses.\n';
  await writeFile(configFile(lab), header + stringify(config, { lineWidth: 120 }), { mode: 0o600 });
}

function siteConfig(lab: Lab, site: SiteName, facts: ProbeFacts) {
  const service = (name: string) => serviceCommand(lab, `${site}-${name}`);
  return {
    worker: site,
    stateDir: siteDir(lab, site, 'state'),
    ...(lab.mode === 'dashboard' && !lab.bareProof ? { verify: proofPrograms(lab) } : {}),
    redis: {
      port: sitePort(lab, site, 'redis'),
      password: `file:${keyFile(lab, `${site}-redis-password`)}`,
      dataDir: siteDir(lab, site, 'redis', 'data'),
      configFile: siteDir(lab, site, 'redis', 'redis.conf'),
      service: service('redis'),
    },
    ...(lab.mode === 'dashboard' ? controlPlane(lab, site, facts) : {}),
    gateways: GATEWAYS.map((gateway) => ({
      name: gateway,
      url: localUrl(sitePort(lab, site, gateway)),
      root: siteDir(lab, site, 'gateways', gateway),
      config: 'tyk.conf',
      include: ['apps', 'policies', 'middleware', 'certs', 'templates'],
      service: service(gateway),
      version: versionCommand(lab, 'gateway'),
    })),
  };
}

/** The same programs as the site's, on what a set restores to. */
function proofPrograms(lab: Lab) {
  const program = (part: 'dashboard' | 'gateway') => ({
    start: [...tykProgram(lab, part), '--conf', '{config}'],
  });
  return { dashboard: program('dashboard'), gateway: program('gateway') };
}

/** What Gateways that read files do without. */
function controlPlane(lab: Lab, site: SiteName, facts: ProbeFacts) {
  const file = (name: string): string => `file:${keyFile(lab, name)}`;
  const service = (name: string) => serviceCommand(lab, `${site}-${name}`);
  const postgres = siteDir(lab, site, 'postgres');
  const runAs = lab.storeUser === undefined ? {} : { runAs: lab.storeUser };
  const pgbackrest = {
    configFile: `${postgres}/pgbackrest.conf`,
    lockPath: `${postgres}/lock`,
    spoolPath: `${postgres}/spool`,
    logPath: `${postgres}/log`,
  };
  return {
    database: hasDatabase(lab, 'mongodb')
      ? {
          kind: 'mongodb',
          port: sitePort(lab, site, 'mongodb'),
          dataDir: siteDir(lab, site, 'mongodb', 'data'),
          scratchServer: ferretdbCommand('{dir}', '{port}'),
          service: service('mongodb'),
        }
      : {
          kind: 'postgresql',
          port: sitePort(lab, site, 'postgres'),
          user: 'tyk',
          password: file('postgres-tyk-password'),
          admin: { user: 'postgres', password: file('postgres-admin-password') },
          ...(lab.databaseMethod === 'dump'
            ? { method: 'dump' }
            : { dataDir: `${postgres}/data`, pgbackrest }),
          configFile: `${postgres}/etc/postgresql.conf`,
          binDir: PG_BIN,
          ...runAs,
          service: service('postgres'),
        },
    dashboard: {
      url: localUrl(sitePort(lab, site, 'dashboard')),
      root: siteDir(lab, site, 'dashboard'),
      config: 'tyk_analytics.conf',
      include: ['certs', 'portal'],
      accessKey: file(facts.keys.dashboard),
      auditLog: siteDir(lab, site, 'dashboard', 'audit.log'),
      service: service('dashboard'),
      version: versionCommand(lab, 'dashboard'),
    },
    pump: {
      root: siteDir(lab, site, 'pump'),
      config: 'pump.conf',
      url: localUrl(sitePort(lab, site, 'pump')),
      service: service('pump'),
    },
  };
}
