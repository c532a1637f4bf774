import { createWriteStream } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unpackTree } from '../adapters/backup/tree.ts';
import { syncFolder } from '../adapters/files/durable.ts';
import { diffTexts } from '../domain/config-diff.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { manifestOf, openPart, storeOf } from './open-set.ts';
import { serverTrees, type ServerTree } from './server-files.ts';

/**
 * The servers' own configuration. A target has one that fits its host (ports, folders, memory): it is left alone, and
 * what differs is told and lies beside it. Only what is missing where the server stood is put back itself.
 */

export function createServerConfigActivities(deps: Deps) {
  return { 'place-server-config': guarded(deps, 'mutate', placeServerConfig) };
}

/** Beside the target's own file; no server reads a file of this name. */
const SUFFIX = '.from-backup';

/** It never holds a recovery up: what could not be placed is told as an exception. */
async function placeServerConfig(call: Call): Promise<StepResult> {
  const told: string[] = [];
  const failed: string[] = [];
  const { manifest } = await manifestOf(storeOf(call, 'config'));
  for (const tree of serverTrees(call.worker, call.target)) {
    if (!manifest.objects.some(({ name }) => name === tree.object)) continue;
    try {
      told.push(...(await placeTree(call, tree)));
    } catch (error) {
      call.signal.throwIfAborted();
      const reason = error instanceof DrError ? error.message : String(error);
      failed.push(`the configuration of ${tree.component} was not placed in ${tree.root}: ${reason}`);
    }
  }
  return {
    summary: told.join('; ') || 'the servers of the backup and of the target are configured alike',
    ...(failed.length > 0 ? { exception: failed.join('; ') } : {}),
  };
}

async function placeTree(call: Call, tree: ServerTree): Promise<string[]> {
  const { input, target } = call;
  const scratch = join(target.stateDir, `${tree.object}-${input.run}`);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    const { manifest } = await manifestOf(storeOf(call, 'config'));
    const archive = join(scratch, 'archive.tar');
    await openPart(
      storeOf(call, 'config'),
      manifest,
      tree.object,
      createWriteStream(archive, { mode: 0o600 }),
    );
    const from = join(scratch, 'tree');
    await unpackTree(archive, from, tree.object);
    const told: string[] = [];
    for (const file of await filesIn(from)) {
      const what = await placeFile(
        join(from, file),
        join(tree.root, file),
        input.plan.from === input.plan.to,
      );
      if (what !== undefined) told.push(`${file} ${what}`);
    }
    return told;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @returns what was done, for people; undefined where the target has the very same file */
async function placeFile(from: string, to: string, sameSite: boolean): Promise<string | undefined> {
  const [saved, own] = await Promise.all([readFile(from), readFile(to).catch(() => undefined)]);
  if (own?.equals(saved)) {
    await rm(`${to}${SUFFIX}`, { force: true });
    return undefined;
  }
  if (own === undefined && sameSite) {
    await copyInto(from, to);
    return 'was missing and is back';
  }
  await copyInto(from, `${to}${SUFFIX}`);
  const names =
    own === undefined ? [] : diffTexts(to, own.toString(), saved.toString()).map(({ path }) => path);
  // Names of settings, never values: passwords are among them.
  const differs = own === undefined ? 'is not on the target' : `differs in ${names.join(', ') || 'its text'}`;
  return `${differs}; that of the backup lies beside it as ${SUFFIX}`;
}

/** Whole or not at all, with owner and mode as in the backup. */
async function copyInto(from: string, to: string): Promise<void> {
  const { mode, uid, gid } = await lstat(from);
  const fresh = `${to}.new`;
  await mkdir(dirname(to), { recursive: true });
  await rm(fresh, { force: true });
  await copyFile(from, fresh);
  await chmod(fresh, mode & 0o7777);
  if (process.getuid?.() === 0) await chown(fresh, uid, gid);
  await rename(fresh, to);
  await syncFolder(dirname(to));
}

/** Plain files only: a link of the backup says nothing that its target does not. */
async function filesIn(root: string, at = ''): Promise<string[]> {
  const entries = await readdir(join(root, at), { withFileTypes: true });
  const nested = entries.map(async (entry) => {
    const path = join(at, entry.name);
    if (entry.isDirectory()) return filesIn(root, path);
    return entry.isFile() ? [path] : [];
  });
  return (await Promise.all(nested)).flat().sort();
}
