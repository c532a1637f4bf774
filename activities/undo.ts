import { discardPlaced, placePaths, undoPlacing } from '../adapters/files/place-entries.ts';
import { discardUndo, switchPaths, undoSwitch } from '../adapters/files/switch-in.ts';
import type { RedisConfig } from '../domain/config.ts';
import type { StepResult } from '../domain/run.ts';
import { emptyCache } from './copies.ts';
import { methodOf } from './database/choose.ts';
import type { DatabaseMethod } from './database/method.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { setOf } from './open-set.ts';
import { releaseByCommands, undoByCommands } from './redis-commands.ts';
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
  if (input.step === 'restore-database-data') {
    const database = databaseOf(call);
    return { summary: database ? await database.undo(call) : 'nothing to undo' };
  }
  if (input.step === 'restore-redis-data') {
    const redis = redisByCommands(call);
    if (redis) return { summary: await undoByCommands(call, redis) };
    const dataDir = redisFolder(call);
    const key = { run: input.run, step: input.step, set: input.set ?? '' };
    if (dataDir === undefined) return { summary: 'nothing to undo' };
    return { summary: await undoSwitch(switchPaths(dataDir, input.run), key) };
  }
  const undone: string[] = [];
  for (const root of configRoots(call)[input.step] ?? [])
    undone.push(await undoPlacing(placePaths(root, input.run)));
  return { summary: undone.join('; ') || 'nothing to undo' };
}

async function discardOldData(call: Call): Promise<StepResult> {
  const { run } = call.input;
  let removed = 0;
  const redis = redisFolder(call);
  if (redis !== undefined && (await discardUndo(switchPaths(redis, run)))) removed += 1;
  if (await databaseOf(call)?.discardOld(call)) removed += 1;
  await emptyCache(setOf(call));
  for (const root of Object.values(configRoots(call)).flat()) await discardPlaced(placePaths(root, run));
  const filled = redisByCommands(call);
  if (filled && call.input.plan.steps.includes('restore-redis-data')) await releaseByCommands(call, filled);
  return {
    summary:
      removed > 0
        ? `removed the old data of ${removed} store${removed === 1 ? '' : 's'}`
        : 'no replaced data were kept',
  };
}

/** The stores of this worker's host only. */
function redisFolder({ worker, target }: Call): string | undefined {
  const files = target.redis?.method === 'files' ? target.redis : undefined;
  return serves(worker, target, files) ? files?.dataDir : undefined;
}

/** Where this worker serves one that is restored by commands: it has no old folder that was kept. */
function redisByCommands({ worker, target }: Call): RedisConfig | undefined {
  const { redis } = target;
  return redis?.method === 'commands' && serves(worker, target, redis) ? redis : undefined;
}

function databaseOf({ worker, target }: Call): DatabaseMethod | undefined {
  const { database } = target;
  return database && serves(worker, target, database) ? methodOf(database) : undefined;
}

/** By step: what this worker's host has of it. */
export function configRoots({ worker, target }: Call): Record<string, string[]> {
  const own = (tree: Tree | undefined): string[] => (tree && serves(worker, target, tree) ? [tree.root] : []);
  return {
    'restore-dashboard-config': own(target.dashboard),
    'restore-gateway-config': gatewaysOn(worker, target).map((gateway) => gateway.root),
    'restore-pump-config': own(target.pump),
    'start-pump': own(target.pump),
  };
}

interface Tree {
  readonly root: string;
  readonly worker?: string | undefined;
}
