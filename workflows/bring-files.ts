import { isCancellation } from '@temporalio/workflow';
import type { BackupInput, BringFilesResult, FilesBrought, StandbyWorkers } from '../domain/backup.ts';
import { callStep } from './backup.ts';
import { reasonOf } from './launch.ts';
import { now } from './run-state.ts';

/**
 * Brings the configuration of a set to the standby, under a lock of its own: one at a time, and a run that changes the
 * deployment never waits for it.
 */
export async function bringFiles(
  input: BackupInput,
  standbys: readonly StandbyWorkers[],
): Promise<FilesBrought> {
  const startedAt = now();
  const hosts = standbys.flatMap(({ site, all }) => all.map((worker) => ({ site, worker })));
  const hostResults = await Promise.all(
    hosts.map(async ({ site, worker }): Promise<FilesBrought['hosts'][number]> => {
      try {
        const result = (await callStep(input, site, worker, 'bring-files')) as BringFilesResult;
        return { site, worker, ...result };
      } catch (error) {
        if (isCancellation(error)) throw error;
        const warning = `the files were not brought to ${site}: ${reasonOf(error)}`;
        return { site, worker, summary: 'not brought', warning };
      }
    }),
  );
  return { run: input.run, startedAt, endedAt: now(), hosts: hostResults };
}
