import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { newestConfig } from '../../adapters/backup/snapshots.ts';
import { digestBelow } from '../../adapters/files/digest-tree.ts';
import { exists } from '../../adapters/files/exists.ts';
import { readJson } from '../../adapters/files/read-json.ts';
import {
  discardPlaced,
  placed,
  placedByOthers,
  placeEntries,
  placePaths,
  undoPlacing,
  type PlacePaths,
} from '../../adapters/files/place-entries.ts';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import {
  serviceState,
  startService,
  stopService,
  type ServiceTarget,
} from '../../adapters/service/service.ts';
import { lockHolder } from '../../adapters/temporal/lock.ts';
import { gatewayHello, reload } from '../../adapters/tyk/gateway.ts';
import type { BringFilesResult } from '../../domain/backup.ts';
import type { Site } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { leftovers } from '../../domain/tyk-conf.ts';
import { awaitUntil } from '../await-until.ts';
import { sourceAddresses, targetEndpoints } from '../config-endpoints.ts';
import { guardedBackup, type BackupCall, type Deps } from '../guard.ts';
import { manifestOf, setOf, type Where } from '../open-set.ts';
import { proof, requireProofs } from '../proofs.ts';
import { gatewaysOn, serves, servicesOf } from '../site.ts';
import {
  dashboardTree,
  gatewayTree,
  pumpTree,
  rewriteTo,
  unpackInto,
  type TreeRestore,
} from '../staged-tree.ts';

/**
 * Brings the configuration that a set or snapshot holds to a standby: what was changed at the site that serves is there
 * before it is needed. Only what differs by its digest is put in place; what runs is made to read it.
 */

export function createBringFilesActivities(deps: Deps) {
  return {
    'bring-files': guardedBackup(deps, (call) =>
      bringFiles(call, () => lockHolder(Context.current().client, call.input.deployment, LOCK_LIMIT_MS)),
    ),
  };
}

const LOCK_LIMIT_MS = 2_000;

/** @param lockOf the run that has the deployment's lock, if any: it alone changes the site then. */
export async function bringFiles(
  call: BackupCall,
  lockOf: () => Promise<string | undefined>,
): Promise<BringFilesResult> {
  const { input, site, deployment } = call;
  const mark = await readStandbyMark(site.stateDir);
  const source = mark && deployment.sites[mark.of];
  if (!source) return { summary: `${input.site} follows no site: left alone` };
  const set =
    input.set === 'latest' ? await newestConfig(deployment.backup, input.deployment, mark.of) : input.set;
  if (set === undefined) return { summary: `there is no set of ${mark.of} yet: left alone` };
  const where = setOf(call, set);
  const { manifest } = await manifestOf(where);
  if (manifest.site !== mark.of)
    return { summary: `${set} is of ${manifest.site}, and ${input.site} follows ${mark.of}: left alone` };
  const trees = treesOf(call, mark.of, source);
  const changes: Change[] = [];
  const names = (): string[] => changes.map(({ tree }) => tree.name);
  try {
    for (const tree of trees) {
      call.progress(`comparing ${tree.name}`);
      const change = await stage(call, where, source, tree);
      if (change) changes.push(change);
    }
    if (changes.length === 0) return { summary: `${input.site} has the files of ${set}`, observed: true };
    // As late as can be. A run that begins after this has the higher epoch, and restores what it needs itself.
    const holder = await lockOf();
    if (holder !== undefined || !(await readStandbyMark(site.stateDir))) {
      for (const { paths, isPlaced } of changes) if (!isPlaced) await undoPlacing(paths);
      return { summary: `left alone: ${holder ?? 'it follows no more'} is under way`, left: names() };
    }
    for (const { tree, paths, key, isPlaced } of changes)
      if (!isPlaced) await placeEntries(paths, key, entriesOf(tree));
  } catch (error) {
    // Nobody has read any of it yet. A call that is broken off goes on elsewhere.
    if (!call.signal.aborted)
      for (const { tree } of trees) await undoPlacing(placePaths(tree.root, input.run));
    throw error;
  }
  const told = await settled(changes.map((change) => readOrPutBack(call, change)));
  const warnings = told.flatMap(({ warning }) => warning ?? []);
  return {
    summary: `${set} to ${input.site}: ${told.map(({ summary }) => summary).join('; ')}`,
    brought: names(),
    ...(warnings.length > 0 ? { warning: warnings.join('; ') } : {}),
  };
}

function treesOf({ worker, site, deployment }: BackupCall, from: string, source: Site): TreeRestore[] {
  const { dashboard, pump } = site;
  return [
    ...(dashboard && serves(worker, site, dashboard) ? [dashboardTree(source, dashboard)] : []),
    ...gatewaysOn(worker, site).map((gateway) => gatewayTree(deployment, from, gateway)),
    ...(pump && serves(worker, site, pump) ? [pumpTree(source, pump)] : []),
  ];
}

interface Change {
  readonly tree: TreeRestore;
  readonly paths: PlacePaths;
  readonly key: { readonly run: string; readonly step: string; readonly set: string };
  /** An earlier attempt came so far. */
  readonly isPlaced: boolean;
  /** The file that the program reads when it starts, not only what lies beside it. */
  readonly conf: boolean;
  /** Of calls that were killed before anybody had read what they had put in place. */
  readonly unread: readonly PlacePaths[];
}

const entriesOf = ({ tree }: TreeRestore): string[] => [tree.config, ...tree.include];

/** @returns what is to be put in place; undefined where all of it lies there already. */
async function stage(
  call: BackupCall,
  where: Where,
  source: Site,
  tree: TreeRestore,
): Promise<Change | undefined> {
  const { input, site, deployment, secret } = call;
  const paths = placePaths(tree.tree.root, input.run);
  const key = { run: input.run, step: `${input.step}/${tree.name}`, set: where.set! };
  const unread = await placedByOthers(paths.root, key);
  if (await placed(paths, key)) return { tree, paths, key, isPlaced: true, conf: true, unread };
  // Half of an earlier attempt.
  await undoPlacing(paths);
  await unpackInto(paths.stagingDir, where, tree);
  const { root, config } = tree.tree;
  await rewriteTo(
    await targetEndpoints({ target: site, deployment, secret }, root, tree.listen),
    paths.stagingDir,
    tree,
  );
  const left = leftovers(
    await readJson(join(paths.stagingDir, config)),
    sourceAddresses({ source, target: site }),
  );
  requireProofs([
    proof(
      `${tree.name}: ${config} names only ${input.site}`,
      left.length === 0,
      'no address of the source',
      left.join(', ') || 'none',
    ),
  ]);
  const differing = await differingEntries(paths, entriesOf(tree));
  if (differing.length === 0) {
    await undoPlacing(paths);
    return unread.length === 0 ? undefined : { tree, paths, key, isPlaced: true, conf: true, unread };
  }
  const conf = differing.includes(config) || unread.length > 0;
  return { tree, paths, key, isPlaced: false, conf, unread };
}

/** What the set does not hold was never brought: it may be the standby's own. */
async function differingEntries(
  { root, stagingDir }: PlacePaths,
  entries: readonly string[],
): Promise<string[]> {
  const differing: string[] = [];
  for (const entry of entries) {
    if (!(await exists(join(stagingDir, entry)))) continue;
    if ((await digestBelow(stagingDir, entry)) !== (await digestBelow(root, entry))) differing.push(entry);
  }
  return differing;
}

/** All of them come to their end before the first that failed is told. */
async function settled<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

/** What a program does not take is put back: it differs again at the next call, which brings it again. */
async function readOrPutBack(call: BackupCall, change: Change): Promise<Told> {
  const { tree, paths, unread } = change;
  const service = serviceOfTree(call, tree);
  const ran = service !== undefined && (await serviceState(service)) === 'running';
  try {
    const told = ran ? await makeRead(call, change, service) : { summary: tree.name };
    for (const each of [paths, ...unread]) await discardPlaced(each);
    return told;
  } catch (error) {
    if (call.signal.aborted) throw error;
    await undoPlacing(paths);
    // It ran before, and whatever kept it from starting again may have been its new file.
    if (ran) await startService(service, call.signal).catch(() => false);
    throw error;
  }
}

const READY_TIMEOUT_MS = 90_000;

interface Told {
  readonly summary: string;
  readonly warning?: string;
}

/** A program reads its file when it starts, a Gateway what lies beside it when it reloads. What is stopped stays so. */
async function makeRead(call: BackupCall, { tree, conf }: Change, service: ServiceTarget): Promise<Told> {
  const { input, deployment, signal } = call;
  const { kind, name, listen } = tree;
  if (kind === 'gateway' && !conf) {
    await reload(listen!, await call.secret(deployment.secrets.gateway));
    return { summary: `${name} reloaded` };
  }
  // Of a hot standby it would end requests of clients.
  if (deployment.strategy === 'hot')
    return {
      summary: name,
      warning: `${name} of ${input.site} serves, and reads its new ${tree.tree.config} when it is started again`,
    };
  await stopService(service, signal);
  await startService(service, signal);
  if (kind === 'gateway')
    await awaitUntil(() => gatewayHello(listen!), {
      ...{ timeoutMs: READY_TIMEOUT_MS, everyMs: 300, signal },
      late: () =>
        new DrError('SERVICE_FAILED', {
          ...{ service: `gateway ${name}`, site: input.site, action: 'answer /hello', reason: listen },
        }),
    });
  return { summary: `${name} started again` };
}

function serviceOfTree(
  { input, site, worker }: BackupCall,
  { kind, name }: TreeRestore,
): ServiceTarget | undefined {
  return servicesOf(input.site, site, { component: kind, worker }).find(
    (each) => kind !== 'gateway' || each.name === `gateway ${name}`,
  );
}
