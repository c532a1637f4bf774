import { mkdir, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { unpackTree } from '../adapters/backup/tree.ts';
import { readJson } from '../adapters/files/read-json.ts';
import { rewrite } from '../adapters/files/rewrite.ts';
import type { DashboardConfig, Deployment, GatewayConfig, PumpConfig, Site } from '../domain/config.ts';
import { rewriteConf, type ConfKind, type Endpoints } from '../domain/tyk-conf.ts';
import { manifestOf, openPart, type Where } from './open-set.ts';
import { counterpart } from './site.ts';

/** The configuration of one component, as a set holds it, brought into a folder beside the old one and rewritten. */

export interface TreeRestore {
  readonly kind: ConfKind;
  readonly object: string;
  readonly name: string;
  readonly tree: { readonly root: string; readonly config: string; readonly include: readonly string[] };
  /** The root at the source: paths in the configuration that begin with it are moved. */
  readonly from: string;
  readonly listen?: string;
}

export function dashboardTree(source: Site, dashboard: DashboardConfig): TreeRestore {
  return {
    ...{ kind: 'dashboard', object: 'dashboard', name: 'dashboard', tree: dashboard },
    from: source.dashboard?.root ?? dashboard.root,
    listen: dashboard.url,
  };
}

export function gatewayTree(deployment: Deployment, fromSite: string, gateway: GatewayConfig): TreeRestore {
  const from = counterpart(deployment, fromSite, gateway.name);
  return {
    ...{ kind: 'gateway', object: `gateway-${from.name}`, name: gateway.name, tree: gateway },
    from: from.root,
    listen: gateway.url,
  };
}

export function pumpTree(source: Site, pump: PumpConfig): TreeRestore {
  return {
    ...{ kind: 'pump', object: 'pump', name: 'pump', tree: pump },
    from: source.pump?.root ?? pump.root,
    ...(pump.url === undefined ? {} : { listen: pump.url }),
  };
}

/** What was there of an earlier attempt is gone first. @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, UNSAFE_ARCHIVE */
export async function unpackInto(stagingDir: string, where: Where, { object }: TreeRestore): Promise<void> {
  const { manifest } = await manifestOf(where);
  await rm(stagingDir, { recursive: true, force: true });
  await mkdir(stagingDir, { recursive: true, mode: 0o700 });
  const archive = `${stagingDir}.tar`;
  try {
    await openPart(where, manifest, object, createWriteStream(archive, { mode: 0o600 }));
    await unpackTree(archive, stagingDir, object);
  } finally {
    await rm(archive, { force: true });
  }
}

/** Keeps owner and mode of the file as they were backed up. */
export async function rewriteTo(
  endpoints: Endpoints,
  stagingDir: string,
  { kind, tree, from }: TreeRestore,
): Promise<void> {
  const file = join(stagingDir, tree.config);
  const conf = rewriteConf(kind, await readJson(file), from, endpoints);
  await rewrite(file, `${JSON.stringify(conf, undefined, 2)}\n`);
}
