import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { durableRename, syncFolder, writeDurably } from './durable.ts';
import { exists } from './exists.ts';

/**
 * The commit of a restored directory: the old one is renamed aside, the staged one into its place. The effect is
 * its own ledger: a file in the directory tells which run and step made it, so that after a kill at any point the
 * step sees how far it came.
 */

export const LEDGER_FILE = 'tyk-dr-step.json';

export interface StepKey {
  readonly run: string;
  readonly step: string;
  readonly set: string;
}

export interface SwitchPaths {
  /** Where the service looks for its data. */
  readonly dataDir: string;
  /** Where the restore builds the new one: beside, on the same filesystem. */
  readonly stagingDir: string;
  /** Where the old one is kept until close-out. */
  readonly undoDir: string;
}

export function switchPaths(dataDir: string, run: string): SwitchPaths {
  const beside = (purpose: string): string =>
    join(dirname(dataDir), `${basename(dataDir)}.tyk-dr-${purpose}-${run}`);
  return { dataDir, stagingDir: beside('new'), undoDir: beside('old') };
}

/** `staged`: built, not switched. `halfway`: the old one is aside, the new one not yet in. `absent`: neither. */
export type SwitchState = 'absent' | 'staged' | 'halfway' | 'done';

export async function observeSwitch(paths: SwitchPaths, key: StepKey): Promise<SwitchState> {
  if (await belongsTo(paths.dataDir, key)) return 'done';
  if (!(await belongsTo(paths.stagingDir, key))) return 'absent';
  return (await exists(paths.dataDir)) ? 'staged' : 'halfway';
}

/** Marks a staged directory as complete. Nothing counts before this file is there. */
export async function writeLedger(stagingDir: string, key: StepKey): Promise<void> {
  const { run, step, set } = key;
  await writeDurably(
    join(stagingDir, LEDGER_FILE),
    JSON.stringify({ run, step, set, at: new Date().toISOString() }),
  );
  await syncFolder(stagingDir);
}

/** @throws DrError TARGET_IS_ANOTHER where nothing complete of this step is staged, MOUNT_POINT. */
export async function switchIn(paths: SwitchPaths, key: StepKey): Promise<void> {
  const state = await observeSwitch(paths, key);
  if (state === 'done') return;
  if (state === 'absent') {
    throw new DrError('TARGET_IS_ANOTHER', {
      path: paths.stagingDir,
      actual: 'nothing complete',
      expected: `step ${key.step} of ${key.run}`,
    });
  }
  if (state === 'staged') await move(paths.dataDir, paths.undoDir);
  await move(paths.stagingDir, paths.dataDir);
}

/** Puts the old directory back. Tolerates that nothing had happened. @returns what it did, for people. */
export async function undoSwitch(paths: SwitchPaths, key: StepKey): Promise<string> {
  const ours = await belongsTo(paths.dataDir, key);
  if (ours) await move(paths.dataDir, paths.stagingDir);
  const old = await exists(paths.undoDir);
  if (old && !(await exists(paths.dataDir))) await move(paths.undoDir, paths.dataDir);
  await discardStaging(paths);
  if (!ours && !old) return 'nothing was switched';
  return old ? 'the old data are back' : 'the restored data are removed; there were none before';
}

/** @returns whether there was an old directory to remove. */
export async function discardUndo(paths: SwitchPaths): Promise<boolean> {
  const there = await exists(paths.undoDir);
  await rm(paths.undoDir, { recursive: true, force: true });
  await discardStaging(paths);
  return there;
}

/** The staging directory and what a restore keeps beside it. */
export async function discardStaging({ stagingDir }: Pick<SwitchPaths, 'stagingDir'>): Promise<void> {
  for (const leftover of ['', '.lock', '.wal', '.log'])
    await rm(`${stagingDir}${leftover}`, { recursive: true, force: true });
}

async function belongsTo(dir: string, key: StepKey): Promise<boolean> {
  const text = await readFile(join(dir, LEDGER_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const found = JSON.parse(text) as StepKey;
  return found.run === key.run && found.step === key.step && found.set === key.set;
}

async function move(from: string, to: string): Promise<void> {
  try {
    await durableRename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY' || code === 'EXDEV')
      throw new DrError('MOUNT_POINT', { path: from }, { cause: error });
    throw error;
  }
}
