import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackTree } from '../adapters/backup/tree.ts';
import { readJson } from '../adapters/files/read-json.ts';
import { freePort } from '../adapters/host/free-port.ts';
import { withScratchPrograms, type ScratchHost } from '../adapters/host/scratch-program.ts';
import type { ScratchDoor } from '../adapters/redis/scratch.ts';
import { dashboardAlive, listApis } from '../adapters/tyk/dashboard.ts';
import { gatewayHello, loadedApis } from '../adapters/tyk/gateway.ts';
import { call as http } from '../adapters/tyk/http.ts';
import type { Deployment, Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest, ServiceFacts } from '../domain/manifest.ts';
import type { Secret } from '../domain/secret.ts';
import { leftovers, rewriteConf, type ConfKind } from '../domain/tyk-conf.ts';
import { addressesOf } from '../domain/addresses.ts';
import { awaitUntil } from './await-until.ts';
import { targetEndpoints } from './config-endpoints.ts';
import type { ScratchDatabase } from './database/method.ts';
import type { BackupCall } from './guard.ts';
import { scratchOwner } from './leftovers.ts';
import { openPart, setOf } from './open-set.ts';

/**
 * A Dashboard and a Gateway on the restored stores: programs of the same kind as the site's, on the configuration that
 * the set holds, rewritten to the scratch instances. One that still names an address of any site is not started: it
 * would act on what serves.
 */

/** A Gateway tells nothing of its Redis in the first ten seconds of its life. */
const READY_TIMEOUT_MS = 60_000;

export interface ScratchStores {
  /** Absent where nothing is to be started. */
  readonly redis: ScratchDoor | undefined;
  readonly database: ScratchDatabase;
}

/** Undefined where none is configured. @throws DrError SERVICE_FAILED, PROOF_FAILED, TOOL_MISSING */
export async function proveServices(
  call: BackupCall,
  manifest: Manifest,
  folder: string,
  stores: ScratchStores,
): Promise<ServiceFacts | undefined> {
  const { verify, dashboard, gateways } = call.site;
  if (!verify.dashboard || !dashboard || !stores.redis) return undefined;
  const scratch = await scratchSite(call, stores.redis, stores.database);
  return withScratchPrograms(scratchOwner(call.site), async (host) => {
    call.progress('starting a Dashboard');
    await startOn(call, manifest, host, {
      ...{ kind: 'dashboard', object: 'dashboard', tree: dashboard, start: verify.dashboard!.start },
      ...{
        folder: join(folder, 'dashboard'),
        listen: scratch.dashboard!.url,
        scratch,
        password: stores.redis!.password,
      },
    });
    const apis = await host.orEnded(dashboardApis(call, scratch));
    const gateway = gateways[0]!;
    if (!verify.gateway) return { dashboardApis: apis };
    call.progress('starting a Gateway');
    await startOn(call, manifest, host, {
      ...{ kind: 'gateway', object: `gateway-${gateway.name}`, tree: gateway, start: verify.gateway.start },
      ...{
        folder: join(folder, 'gateway'),
        listen: scratch.gateways[0]!.url,
        scratch,
        password: stores.redis!.password,
      },
    });
    return { dashboardApis: apis, ...(await host.orEnded(gatewayServes(call, scratch))) };
  });
}

/** The site as its configurations are to see it: every address is one of ours. */
async function scratchSite(
  { site }: BackupCall,
  redis: ScratchDoor,
  database: ScratchDatabase,
): Promise<Site> {
  const url = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;
  return {
    ...site,
    redis: {
      ...{ ...site.redis!, host: '127.0.0.1', port: redis.port, password: SCRATCH },
      ...{ username: undefined, tls: undefined, sentinel: undefined, cluster: undefined },
    },
    database:
      site.database!.kind === 'mongodb'
        ? { ...site.database!, ...database.door, ...NO_DOORKEEPER }
        : { ...site.database!, ...database.door, password: SCRATCH },
    dashboard: { ...site.dashboard!, url: await url() },
    gateways: [{ ...site.gateways[0]!, url: await url() }],
  } as Site;
}

const NO_DOORKEEPER = {
  ...{ user: undefined, password: undefined, authSource: undefined, replicaSet: undefined, tls: undefined },
};

/** Stands for the password of the scratch stores, which no configuration holds. */
const SCRATCH = 'env:TYK_DR_SCRATCH_PASSWORD' as const;

interface Start {
  readonly kind: ConfKind;
  readonly object: string;
  readonly tree: { readonly root: string; readonly config: string };
  readonly start: readonly string[];
  readonly folder: string;
  readonly listen: string;
  readonly scratch: Site;
  /** Of the scratch stores. */
  readonly password: Secret;
}

async function startOn(call: BackupCall, manifest: Manifest, host: ScratchHost, how: Start): Promise<void> {
  const { folder, tree } = how;
  const archive = `${folder}.tar`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await openPart(setOf(call), manifest, how.object, createWriteStream(archive, { mode: 0o600 }));
  await unpackTree(archive, folder, how.object);
  await rm(archive);
  const config = join(folder, tree.config);
  const conf = await readJson(config);
  const endpoints = await targetEndpoints(
    {
      target: how.scratch,
      deployment: call.deployment,
      secret: async (reference) => (reference === SCRATCH ? how.password : call.secret(reference)),
    },
    folder,
    how.listen,
  );
  const rewritten = rewriteConf(
    how.kind,
    conf,
    rootAt(call.deployment, manifest.site, how) ?? tree.root,
    endpoints,
  );
  const sites = Object.values(call.deployment.sites).flatMap(addressesOf);
  const left = leftovers(rewritten, sites);
  if (left.length > 0)
    throw new DrError('PROOF_FAILED', {
      proof: `${how.object}: ${tree.config} names only scratch instances`,
      expected: 'no address of a site',
      actual: left.join(', '),
    });
  await writeFile(config, `${JSON.stringify(rewritten, undefined, 2)}\n`, { mode: 0o600 });
  const { port } = new URL(how.listen);
  host.start({ name: how.kind, start: how.start, values: { config, root: folder, port } });
}

/** Where the tree lay when the set was made: paths in the configuration begin with it. */
function rootAt({ sites }: Deployment, site: string, { kind, object }: Start): string | undefined {
  const from = sites[site];
  if (kind === 'dashboard') return from?.dashboard?.root;
  return from?.gateways.find(({ name }) => `gateway-${name}` === object)?.root;
}

async function dashboardApis({ secret, signal }: BackupCall, scratch: Site): Promise<number> {
  const { url, accessKey } = scratch.dashboard!;
  await awaitUntil(async () => ((await dashboardAlive(url)) ? true : undefined), {
    ...{ timeoutMs: READY_TIMEOUT_MS, signal },
    late: () => notReady('Dashboard', url),
  });
  const apis = await listApis(url, await secret(accessKey));
  if (apis.length > 0) return apis.length;
  throw new DrError('PROOF_FAILED', {
    ...{ proof: 'the scratch Dashboard lists the APIs', expected: 'at least 1', actual: 0 },
  });
}

async function gatewayServes(call: BackupCall, scratch: Site): Promise<Omit<ServiceFacts, 'dashboardApis'>> {
  const { deployment, signal } = call;
  const { url } = scratch.gateways[0]!;
  const secret = await call.secret(deployment.secrets.gateway);
  const gatewayApis = await awaitUntil(
    async () => {
      if ((await gatewayHello(url))?.details['redis'] !== 'pass') return undefined;
      return (await loadedApis(url, secret).catch(() => [])).length || undefined;
    },
    { ...{ timeoutMs: READY_TIMEOUT_MS, signal }, late: () => notReady('Gateway', url) },
  );
  const probe = deployment.probes.find(({ proves, method }) => proves === 'api' && method === 'GET');
  if (!probe) return { gatewayApis };
  const headers = probe.key === undefined ? {} : { Authorization: (await call.secret(probe.key)).reveal() };
  const { status, error } = await http(new URL(probe.path, url).href, { headers });
  if (status === probe.expect.status) return { gatewayApis, request: `${probe.path} ${status}` };
  throw new DrError('PROOF_FAILED', {
    proof: `the scratch Gateway serves ${probe.path}`,
    expected: probe.expect.status,
    actual: error ?? status,
  });
}

function notReady(name: string, url: string): DrError {
  return new DrError('SERVICE_FAILED', {
    service: `the scratch ${name}`,
    site: 'this host',
    action: 'become ready',
    reason: `${url} does not answer as one on the restored stores does`,
  });
}
