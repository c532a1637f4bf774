import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '../../domain/secret.ts';
import { readKey } from '../keys.ts';
import { GATEWAYS, hasDatabase, localUrl, siteDir, sitePort, type Lab, type SiteName } from '../layout.ts';
import { mongoUrl } from '../mongodb.ts';
import { buildGatewayConf } from '../tyk/gateway-conf.ts';
import { writeErrorTemplates } from '../tyk/templates.ts';
import type { Definitions } from './definitions.ts';

/** The files of Tyk's components, with their real names, for a site that is installed by hand. */

export async function writeConfigTrees(lab: Lab, site: SiteName, definitions: Definitions): Promise<void> {
  for (const gateway of GATEWAYS) await writeGateway(lab, site, gateway);
  if (lab.mode === 'dashboard') {
    await writeDashboard(lab, site);
    await writePump(lab, site);
  } else {
    for (const gateway of GATEWAYS)
      await writeDefinitions(siteDir(lab, site, 'gateways', gateway), definitions);
  }
}

async function writeDashboard(lab: Lab, site: SiteName): Promise<void> {
  const root = siteDir(lab, site, 'dashboard');
  const mongo = hasDatabase(lab, 'mongodb') ? mongoUrl(lab, site) : undefined;
  const storage = mongo
    ? { type: 'mongo', connection_string: mongo }
    : { type: 'postgres', connection_string: await databaseDsn(lab, site) };
  await writeTree(root, {
    'tyk_analytics.conf': {
      license_key: licence(),
      listen_port: sitePort(lab, site, 'dashboard'),
      tyk_api_config: {
        Host: 'http://127.0.0.1',
        Port: String(sitePort(lab, site, 'gw1')),
        Secret: await readKey(lab, 'gateway-secret'),
      },
      ...(mongo ? { mongo_url: mongo } : {}),
      storage: { main: storage, analytics: storage, logs: storage, uptime: storage },
      redis_host: '127.0.0.1',
      redis_port: sitePort(lab, site, 'redis'),
      redis_password: await readKey(lab, `${site}-redis-password`),
      admin_secret: await readKey(lab, 'admin-secret'),
      shared_node_secret: await readKey(lab, 'node-secret'),
      security: { private_certificate_encoding_secret: await readKey(lab, 'certificate-secret') },
      hash_keys: true,
      notify_on_change: true,
      audit: { enabled: true, format: 'json', path: 'audit.log', detailed_recording: false },
      home_dir: root,
      host_config: { enable_host_names: false },
    },
    'certs/dashboard.pem': privateKey(),
    'portal/templates/page.html': '<html><body>{{ .Content }}</body></html>\n',
    'portal/assets/custom.css': 'body { font-family: sans-serif; }\n',
    'portal/assets/custom.js': 'console.log("portal");\n',
    'portal/uploads/terms.txt': 'terms and conditions\n'.repeat(200),
  });
  await mkdir(join(root, 'portal', 'uploads', 'empty'), { recursive: true });
  await symlink('custom.css', join(root, 'portal', 'assets', 'current.css')).catch(() => undefined);
}

/** Of the form of Tyk's licences, a JWT, valid for a year; nobody has signed it. */
function licence(): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 365 * 86_400;
  return [part({ alg: 'none' }), part({ owner: 'lab', exp }), 'unsigned'].join('.');
}

async function writeGateway(lab: Lab, site: SiteName, gateway: (typeof GATEWAYS)[number]): Promise<void> {
  const root = siteDir(lab, site, 'gateways', gateway);
  const conf = buildGatewayConf({
    listenPort: sitePort(lab, site, gateway),
    secret: new Secret(await readKey(lab, 'gateway-secret')),
    nodeSecret: new Secret(await readKey(lab, 'node-secret')),
    redis: {
      host: '127.0.0.1',
      port: sitePort(lab, site, 'redis'),
      password: new Secret(await readKey(lab, `${site}-redis-password`)),
    },
    source:
      lab.mode === 'dashboard'
        ? { dashboardUrl: localUrl(sitePort(lab, site, 'dashboard')) }
        : { appPath: join(root, 'apps'), policyPath: join(root, 'policies') },
    // Without a Pump nobody would take them away.
    analytics: lab.mode === 'dashboard',
    checkSeconds: 1,
    templatePath: join(root, 'templates'),
    pidFile: join(root, 'gateway.pid'),
  });
  await writeTree(root, {
    'tyk.conf': {
      ...conf,
      app_path: join(root, 'apps'),
      middleware_path: join(root, 'middleware'),
      security: { private_certificate_encoding_secret: await readKey(lab, 'certificate-secret') },
    },
    'middleware/audit.js': 'var audit = new TykJS.TykMiddleware.NewMiddleware({});\n',
    'certs/gateway.pem': privateKey(),
  });
  await writeErrorTemplates(conf.template_path);
  for (const folder of ['apps', 'policies']) await mkdir(join(root, folder), { recursive: true });
}

/** What a Gateway without a Dashboard serves: each definition a file, an OpenAPI document beside its own. */
async function writeDefinitions(root: string, { apis, policies }: Definitions): Promise<void> {
  const files: Record<string, object> = {};
  for (const { api_definition: definition, oas } of apis) {
    files[`apps/${definition.api_id}.json`] = definition;
    if (oas) files[`apps/${definition.api_id}-oas.json`] = oas;
  }
  for (const policy of policies) files[`policies/${policy.id}.json`] = { ...policy, _id: '' };
  await writeTree(root, files);
}

async function writePump(lab: Lab, site: SiteName): Promise<void> {
  const meta = hasDatabase(lab, 'mongodb')
    ? { mongo_url: mongoUrl(lab, site), collection_name: 'tyk_analytics' }
    : { type: 'postgres', connection_string: await databaseDsn(lab, site) };
  const pumps = hasDatabase(lab, 'mongodb')
    ? { mongo: { type: 'mongo', meta }, 'mongo-pump-aggregate': { type: 'mongo-pump-aggregate', meta } }
    : { sql: { type: 'sql', meta }, sql_aggregate: { type: 'sql_aggregate', meta } };
  await writeTree(siteDir(lab, site, 'pump'), {
    'pump.conf': {
      analytics_storage_type: 'redis',
      analytics_storage_config: {
        type: 'redis',
        host: '127.0.0.1',
        port: sitePort(lab, site, 'redis'),
        password: await readKey(lab, `${site}-redis-password`),
        database: 0,
      },
      purge_delay: 1,
      health_check_endpoint_name: 'health',
      health_check_endpoint_port: sitePort(lab, site, 'pump'),
      pumps,
    },
  });
}

async function databaseDsn(lab: Lab, site: SiteName): Promise<string> {
  const password = await readKey(lab, 'postgres-tyk-password');
  return `host=127.0.0.1 port=${sitePort(lab, site, 'postgres')} user=tyk password=${password} dbname=tyk_analytics sslmode=disable`;
}

/** Secrets are in these files: 0600, whatever the umask. */
async function writeTree(root: string, files: Readonly<Record<string, string | object>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(
      path,
      typeof content === 'string' ? content : `${JSON.stringify(content, undefined, 2)}\n`,
    );
    await chmod(path, /\.(conf|pem)$/.test(name) ? 0o600 : 0o644);
  }
}

function privateKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
