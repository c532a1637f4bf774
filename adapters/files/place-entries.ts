import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { durableRename, writeDurably } from './durable.ts';
import { exists } from './exists.ts';
import type { StepKey } from './switch-in.ts';

/**
 * Puts restored configuration into a folder that also holds other things (a program, its templates): entry by
 * entry, the old ones kept aside. Safe to call again after a kill at any point: each entry shows by where it lies
 * how far it came.
 */

export interface PlacePaths {
  readonly root: string;
  readonly stagingDir: string;
  readonly undoDir: string;
}

export function placePaths(root: string, run: string): PlacePaths {
  return { root, stagingDir: join(root, `.tyk-dr-new-${run}`), undoDir: join(root, `.tyk-dr-old-${run}`) };
}

const LEDGER = 'tyk-dr-step.json';

interface PlaceLedger extends StepKey {
  readonly entries: readonly string[];
  readonly done: boolean;
}

/** Whether this very step has placed everything already. */
export async function placed(paths: PlacePaths, key: StepKey): Promise<boolean> {
  const ledger = await readLedger(paths);
  return (
    ledger?.done === true && ledger.run === key.run && ledger.step === key.step && ledger.set === key.set
  );
}

/** What calls of this step in other runs have begun to place, and neither discarded nor undone: they were killed. */
export async function placedByOthers(root: string, { run, step }: StepKey): Promise<PlacePaths[]> {
  const names = await readdir(root).catch(() => []);
  const runs = names.flatMap((name) => /^\.tyk-dr-old-(.+)$/.exec(name)?.[1] ?? []);
  const others = runs.filter((each) => each !== run).map((each) => placePaths(root, each));
  const ledgers = await Promise.all(others.map(readLedger));
  return others.filter((_, index) => ledgers[index]?.step === step);
}

/** Moves every staged entry into the root. The undo folder holds the ledger, so that an undo knows what was new. */
export async function placeEntries(
  paths: PlacePaths,
  key: StepKey,
  declared: readonly string[],
): Promise<void> {
  const entries = topmost(declared);
  await mkdir(paths.undoDir, { recursive: true, mode: 0o700 });
  const ledger = { run: key.run, step: key.step, set: key.set, entries };
  await writeDurably(join(paths.undoDir, LEDGER), JSON.stringify({ ...ledger, done: false }));
  for (const entry of entries) {
    const [now, staged, old] = [paths.root, paths.stagingDir, join(paths.undoDir, 'entries')].map((folder) =>
      join(folder, entry),
    );
    if (!(await exists(staged!))) continue;
    const isOurs = (await exists(old!)) || (await exists(newMark(paths, entry)));
    // A call before this one has placed it, and was killed before it could say so.
    if (isOurs) await rm(now!, { recursive: true, force: true });
    else if (await exists(now!)) await moveInto(now!, old!);
    // Said before it is true: an undo may find nothing to remove, but never removes what it has no copy of.
    if (!(await exists(old!))) await writeDurably(newMark(paths, entry), '');
    await moveInto(staged!, now!);
  }
  await writeDurably(join(paths.undoDir, LEDGER), JSON.stringify({ ...ledger, done: true }));
  await rm(paths.stagingDir, { recursive: true, force: true });
}

/** What lies in another entry comes with it: placed for itself first, it would be taken for an old one. */
function topmost(entries: readonly string[]): string[] {
  const plain = [...new Set(entries.map((entry) => entry.replace(/\/+$/, '')))];
  return plain.filter((entry) => !plain.some((other) => entry.startsWith(`${other}/`)));
}

/** Puts the old entries back and removes what was new. Tolerates that nothing had happened. */
export async function undoPlacing(paths: PlacePaths): Promise<string> {
  await rm(paths.stagingDir, { recursive: true, force: true });
  const ledger = await readLedger(paths);
  if (!ledger) return 'nothing was placed';
  for (const entry of ledger.entries) {
    const old = join(paths.undoDir, 'entries', entry);
    const replaced = await exists(old);
    if (replaced || (await exists(newMark(paths, entry))))
      await rm(join(paths.root, entry), { recursive: true, force: true });
    if (replaced) await moveInto(old, join(paths.root, entry));
  }
  await rm(paths.undoDir, { recursive: true, force: true });
  return 'the old configuration is back';
}

export async function discardPlaced({ stagingDir, undoDir }: PlacePaths): Promise<void> {
  await rm(stagingDir, { recursive: true, force: true });
  await rm(undoDir, { recursive: true, force: true });
}

/** Lies there where the entry was not in the root before. */
function newMark({ undoDir }: PlacePaths, entry: string): string {
  return join(undoDir, `new-${encodeURIComponent(entry)}`);
}

async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await durableRename(from, to);
}

async function readLedger({ undoDir }: PlacePaths): Promise<PlaceLedger | undefined> {
  const text = await readFile(join(undoDir, LEDGER), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as PlaceLedger);
}
