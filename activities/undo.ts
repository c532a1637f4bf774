import { discardKept, putBack } from '../adapters/files/keep-aside.ts';
import { discardPlaced, placePaths, undoPlacing } from '../adapters/files/place-entries.ts';
import { discardUndo, switchPaths, undoSwitch } from '../adapters/files/switch-in.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { gatewaysOn, serves } from './site.ts';

/** What was replaced is kept until close-out: put back when the run is given up, removed when it has recovered. */

export function createUndoActivities(deps: Deps) {
  return {
    'undo-switch': guarded(deps, 'release', undo),
    'discard-old-data': guarded(deps, 'mutate', discardOldData),
  };
}

async function undo(call: Call): Promise<StepResult> {
  const { input } = call;
  const key = { run: input.run, step: input.step, set: input.set ?? '' };
  const dataDir = storeFolders(call)[input.step];
  if (dataDir !== undefined) {
    const undone = await undoSwitch(switchPaths(dataDir, input.run), key);
    const archive = archiveConfig(call, input.step);
    // The old data archive to the old repository again, not to that of a generation that never came to be.
    if (archive !== undefined) await putBack(archive, input.run);
    return { summary: undone };
  }
  const undone: string[] = [];
  for (const root of configRoots(call)[input.step] ?? [])
    undone.push(await undoPlacing(placePaths(root, input.run)));
  return { summary: undone.join('; ') || 'nothing to undo' };
}

async function discardOldData(call: Call): Promise<StepResult> {
  const { run } = call.input;
  let removed = 0;
  for (const dataDir of Object.values(storeFolders(call))) {
    if (dataDir !== undefined && (await discardUndo(switchPaths(dataDir, run)))) removed += 1;
  }
  const archive = archiveConfig(call, 'restore-database-data');
  if (archive !== undefined) await discardKept(archive, run);
  for (const root of Object.values(configRoots(call)).flat()) await discardPlaced(placePaths(root, run));
  return { summary: removed > 0 ? `removed ${removed} replaced data folders` : 'no replaced data were kept' };
}

/** Of this worker's host only. */
function storeFolders({ worker, target }: Call): Record<string, string | undefined> {
  const own = (store: Store | undefined): string | undefined =>
    serves(worker, target, store) ? store?.dataDir : undefined;
  return { 'restore-redis-data': own(target.redis), 'restore-database-data': own(target.database) };
}

function archiveConfig({ worker, target }: Call, step: string): string | undefined {
  const { database } = target;
  if (step !== 'restore-database-data' || !database || !serves(worker, target, database)) return undefined;
  return database.pgbackrest.configFile;
}

interface Store {
  readonly dataDir: string;
  readonly worker?: string | undefined;
}

function configRoots({ worker, target }: Call): Record<string, string[]> {
  const own = (tree: Tree | undefined): string[] => (tree && serves(worker, target, tree) ? [tree.root] : []);
  return {
    'restore-dashboard-config': own(target.dashboard),
    'restore-gateway-config': gatewaysOn(worker, target).map((gateway) => gateway.root),
    'start-pump': own(target.pump),
  };
}

interface Tree {
  readonly root: string;
  readonly worker?: string | undefined;
}
