import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packTree } from '../../adapters/backup/tree.ts';
import { queryValue, withClient } from '../../adapters/postgres/client.ts';
import { takeDump } from '../../adapters/postgres/dump.ts';
import { createDatabase, fillDatabase } from '../../adapters/postgres/dump-restore.ts';
import { checkRelations, databaseFacts } from '../../adapters/postgres/proof.ts';
import { giveTo } from '../../adapters/postgres/pgbackrest-config.ts';
import { makeRoles } from '../../adapters/postgres/roles.ts';
import { startScratch, type ScratchServer } from '../../adapters/postgres/scratch-server.ts';
import { run } from '../../adapters/process/run.ts';
import type { PartResult } from '../../domain/backup.ts';
import { formatBytes } from '../../domain/duration.ts';
import type { Manifest, ManifestObject } from '../../domain/manifest.ts';
import { adminConnection } from '../endpoints.ts';
import type { BackupCall } from '../guard.ts';
import { sealObject } from '../seal-object.ts';
import { proveDump, unpackDumps } from './dump-recover.ts';
import { dumpFacts, postgresOf } from './dump-server.ts';
import type { ScratchDatabase, VerifiedDatabase } from './method.ts';
import { scratchDatabase, sum } from './postgresql.ts';

/** Both dumps of one snapshot as sealed objects of the set, and their restore into a scratch cluster. */

export async function backUp(call: BackupCall): Promise<PartResult> {
  const { site, input, signal } = call;
  const { binDir, jobs } = postgresOf(site);
  const folder = await freshFolder(site.stateDir, input.set);
  try {
    const facts = await takeDump({
      ...{ binDir, jobs, folder, lockFile: `${folder}.lock`, say: call.progress, signal },
      admin: await adminConnection(postgresOf(site), call.secret),
    });
    const objects: ManifestObject[] = [];
    for (const part of await readdir(folder)) {
      call.progress(`sealing ${part}`);
      const { stream, ended } = await packTree({ root: folder, entries: [part] }, signal);
      const [object] = await Promise.all([sealObject(call, `dump-${part}`, stream), ended]);
      objects.push(object);
    }
    return {
      summary: `${sum(facts.counted.rows)} rows in ${Object.keys(facts.counted.rows).length} tables as of ${facts.takenAt}, ${formatBytes(objects.reduce((bytes, { plain }) => bytes + plain.bytes, 0))} in ${objects.map(({ name }) => name).join(' and ')}; no log: what is written later is lost until the next set`,
      objects,
      database: facts,
      versions: { postgresql: facts.version },
    };
  } finally {
    await removeDumps(site.stateDir);
  }
}

const PREFIX = 'dump-';

/** One backup at a time is made of a site: whatever else is there is the rest of one that was killed. */
async function freshFolder(stateDir: string, set: string): Promise<string> {
  await mkdir(stateDir, { recursive: true });
  await removeDumps(stateDir);
  return join(stateDir, `${PREFIX}${set}`);
}

async function removeDumps(stateDir: string): Promise<void> {
  for (const name of await readdir(stateDir))
    if (name.startsWith(PREFIX)) await rm(join(stateDir, name), { recursive: true, force: true });
}

/** Where the cluster's user may enter: beside its data, where they are on this host. */
export function scratchFolder({ site, input }: BackupCall): string {
  return `${postgresOf(site).dataDir ?? join(site.stateDir, 'database')}.tyk-dr-verify-${input.set}`;
}

/** A cluster of its own, made, started without a port, filled, compared and stopped. */
export async function verify(
  call: BackupCall,
  manifest: Manifest,
  scratchDir: string,
  whileUp: (database: ScratchDatabase) => Promise<void>,
): Promise<VerifiedDatabase> {
  const { binDir, runAs, jobs } = postgresOf(call.site);
  const { signal } = call;
  const facts = dumpFacts(manifest);
  const cluster = { binDir, dataDir: scratchDir, user: runAs };
  const lockFile = `${scratchDir}.lock`;
  const folder = join(call.site.stateDir, `undump-${call.input.set}`);
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  await giveTo(runAs, scratchDir);
  let server: ScratchServer | undefined;
  try {
    await run([join(binDir, 'initdb'), '-D', scratchDir, '-U', SUPERUSER, '-k', '--no-sync', '-E', 'UTF8'], {
      user: runAs,
      cwd: '/',
    });
    server = await startScratch({
      ...{ cluster, lockFile, superuser: SUPERUSER, recoveryTarget: {}, signal },
      walDir: `${scratchDir}.wal`,
      logFile: `${scratchDir}.log`,
    });
    await unpackDumps(call, manifest, folder);
    await withClient(server.connection('postgres'), async (client) => {
      await makeRoles(client, { needed: facts.roles, owner: facts.owner });
      await createDatabase(client, DATABASE, facts);
    });
    await fillDatabase({
      ...{ binDir, jobs, folder, facts, signal, say: call.progress, connection: server.connection },
      database: DATABASE,
      lockFile: `${folder}.lock`,
    });
    call.progress('comparing');
    const connection = server.connection(DATABASE);
    const { relations } = await checkRelations(binDir, connection, signal);
    const found = await withClient(connection, async (client) => ({
      counted: await databaseFacts(client),
      version: await queryValue<string>(client, 'SHOW server_version'),
    }));
    proveDump(facts, found.counted, Number.parseInt(found.version, 10));
    await whileUp(await scratchDatabase(connection));
    return { facts: found.counted, detail: `${relations} relations read` };
  } finally {
    await server?.kill();
    for (const leftover of ['', '.lock']) await rm(folder + leftover, { recursive: true, force: true });
  }
}

const SUPERUSER = 'tyk_dr_verify';
const DATABASE = 'tyk_dr_verify';
