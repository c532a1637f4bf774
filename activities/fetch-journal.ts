import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOf, sortFiles } from '../adapters/beacon/files.ts';
import { download, listFiles } from '../adapters/rclone/rclone.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import { copyFolder } from './beacon-off-site.ts';
import type { Call } from './guard.ts';

/** The journal out of the off-site copies, where no folder of it is left. What is in any of them counts. */

/** A copy that is away holds a recovery up no longer. */
const PATIENCE_MS = 45_000;
const DAY_MS = 86_400_000;
/** The sum of yesterday may not be there yet, nor that of a day which has just ended. */
const RAW_DAYS = 2;

export interface FetchedJournal {
  /** One for each copy that has some. */
  readonly folders: readonly string[];
  /** What came from where, and what did not. */
  readonly notes: readonly string[];
  remove(): Promise<void>;
}

export async function fetchJournal(call: Call): Promise<FetchedJournal> {
  const { deployment, input, target, signal, secret } = call;
  const root = join(target.stateDir, `beacon-of-copies-${input.run}`);
  await rm(root, { recursive: true, force: true });
  const fetched = await Promise.all(
    deployment.backup.copies.map(async (copy) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      try {
        const remote = await openRemote(copy, secret);
        const folder = copyFolder(input.plan.deployment);
        const there = (await listFiles(remote, folder, { signal: limit })).map(({ path }) => path);
        const paths = wanted(there);
        if (paths.length === 0) return { note: `the copy ${copy.name} holds no journal` };
        const into = join(root, copy.name);
        await download(remote, folder, paths, into, { signal: limit });
        return { folder: into, note: `the journal of the copy ${copy.name} was read` };
      } catch (error) {
        signal.throwIfAborted();
        return {
          note: `the journal of the copy ${copy.name} could not be read: ${(error as Error).message}`,
        };
      }
    }),
  );
  return {
    folders: fetched.flatMap(({ folder }) => folder ?? []),
    notes: fetched.map(({ note }) => note),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** Of days that are summed up the single lines are not needed. */
function wanted(paths: readonly string[]): string[] {
  const { logs, summaries } = sortFiles(paths);
  const known = new Set(summaries);
  const recent = dayOf(Date.now() - RAW_DAYS * DAY_MS);
  return [
    ...[...logs].flatMap(([day, files]) =>
      known.has(day) && day < recent ? [] : files.map(({ name }) => name),
    ),
    ...paths.filter((path) => /^(recoveries|audit)\/[^/]+$|^[^/]+\.summary\.json$/.test(path)),
  ];
}
