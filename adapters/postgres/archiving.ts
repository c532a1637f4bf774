import { access, readdir } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import { createStanza } from './backup.ts';
import { queryValue, type Client } from './client.ts';
import {
  ownedFolder,
  siteArchiveCommand,
  writePgbackrestConfig,
  type PgbackrestSite,
} from './pgbackrest-config.ts';

/** Where a running cluster sends its WAL, and the first repository of one that sends it nowhere yet. */

/**
 * Gives a site its configuration file and a repository of its own that is ready for its WAL.
 *
 * @param from everything but the generation: it is the first that nobody has written to.
 * @returns the generation.
 */
export async function enrolSite(site: string, from: Omit<PgbackrestSite, 'generation'>): Promise<string> {
  const { config, repository } = from;
  const root = repository.repository;
  // One that exists has its owner already.
  await access(root).catch(() => ownedFolder(root, config.runAs));
  const generation = `${site}-${Math.max(0, ...(await generationsOf(site, root))) + 1}`;
  await createStanza(await writePgbackrestConfig({ ...from, generation }));
  return generation;
}

async function generationsOf(site: string, root: string): Promise<number[]> {
  const numbers = (await readdir(root))
    .filter((name) => name.startsWith(`${site}-`))
    .map((name) => name.slice(site.length + 1));
  return numbers.filter((number) => /^\d+$/.test(number)).map(Number);
}

/**
 * Asks the running server rather than any file: what is written there may wait for a restart.
 *
 * @throws DrError ARCHIVES_ELSEWHERE with the two lines for postgresql.conf. It does not repeat the present command,
 *   which may hold somebody's credentials.
 */
export async function requireArchiving(
  client: Client,
  { config, repository }: Pick<PgbackrestSite, 'config' | 'repository'>,
): Promise<void> {
  const mode = await queryValue<string>(client, 'SHOW archive_mode');
  const command = await queryValue<string>(client, 'SHOW archive_command');
  const wanted = siteArchiveCommand(config, repository);
  const pushes = command.includes(config.pgbackrest.configFile) && command.includes('archive-push');
  if (mode !== 'off' && (command === wanted || pushes)) return;
  throw new DrError('ARCHIVES_ELSEWHERE', {
    port: config.port,
    reason:
      mode === 'off'
        ? 'archive_mode is off'
        : `archive_command does not push with ${config.pgbackrest.configFile}`,
    lines: `archive_mode = on\narchive_command = '${wanted.replaceAll("'", "''")}'`,
  });
}
