import { Readable } from 'node:stream';
import { enrolSite, requireArchiving } from '../../adapters/postgres/archiving.ts';
import { takeBackup } from '../../adapters/postgres/backup.ts';
import { withClient } from '../../adapters/postgres/client.ts';
import { readControl } from '../../adapters/postgres/control.ts';
import {
  repositoryFolder,
  siteTool,
  type PgbackrestSite,
} from '../../adapters/postgres/pgbackrest-config.ts';
import { checkPageChecksums, checkRelations, databaseFacts } from '../../adapters/postgres/proof.ts';
import { listRepositoryFiles } from '../../adapters/postgres/repository-files.ts';
import { stageRestore } from '../../adapters/postgres/restore.ts';
import { clusterOf, physicalFacts } from '../../domain/cluster.ts';
import type { PartResult } from '../../domain/backup.ts';
import { formatBytes } from '../../domain/duration.ts';
import type { DatabaseFacts, Manifest } from '../../domain/manifest.ts';
import { adminConnection, currentGeneration, requireRepository } from '../endpoints.ts';
import { databaseSource } from '../database-source.ts';
import type { BackupCall } from '../guard.ts';
import { setOf } from '../open-set.ts';
import { sealObject } from '../seal-object.ts';
import type { ScratchDatabase, VerifiedDatabase } from './method.ts';
import { repositoryCheck } from './pgbackrest-check.ts';
import { scratchDatabase } from './postgresql.ts';

/** A physical backup up to a named restore point, and its restore into a scratch cluster beside the data. */

export async function backUp(call: BackupCall): Promise<PartResult> {
  const { site, deployment, input, signal } = call;
  const config = clusterOf(site);
  const repository = requireRepository(deployment.backup);
  const passphrase = await call.secret(repository.passphrase);
  const generation =
    (await currentGeneration(config)) ?? (await enrolSite(input.site, { config, repository, passphrase }));
  const source: PgbackrestSite = { config, repository, generation, passphrase };
  const admin = await adminConnection(config, call.secret);
  await withClient(admin, (client) => requireArchiving(client, source));
  call.progress('pgBackRest');
  const facts = await takeBackup({
    site: source,
    admin,
    type: input.full ? 'full' : 'incr',
    restorePoint: input.set,
    signal,
  });
  call.progress('listing the repository');
  const root = repositoryFolder(source.repository, generation);
  const files = await listRepositoryFiles(siteTool(source), root, facts, { signal });
  const objects = [
    await sealObject(call, 'pgbackrest-files', Readable.from([Buffer.from(JSON.stringify(files))])),
    // Without it the repository is noise; sealed, every recipient can restore with pgBackRest alone.
    await sealObject(call, 'pgbackrest-passphrase', Readable.from([Buffer.from(source.passphrase.reveal())])),
  ];
  return {
    summary: `${facts.type} ${facts.label}, ${formatBytes(facts.databaseBytes)}, ${files.length} repository files, restore point at ${facts.restorePointLsn}`,
    objects,
    database: facts,
    versions: { postgresql: facts.version },
  };
}

/** Beside the database, so that its user may enter. */
export function scratchFolder({ site, input }: BackupCall): string {
  return `${clusterOf(site).dataDir}.tyk-dr-verify-${input.set}`;
}

export async function verify(
  call: BackupCall,
  manifest: Manifest,
  stagingDir: string,
  whileUp: (database: ScratchDatabase) => Promise<void>,
): Promise<VerifiedDatabase> {
  const config = clusterOf(call.site);
  const set = physicalFacts(manifest);
  const asking = setOf(call);
  const repository = await databaseSource({
    ...{ asking, config, onProgress: call.progress },
    check: () => repositoryCheck(call, asking, manifest),
  });
  const staged = await stageRestore<DatabaseFacts>({
    config,
    repository,
    passphrase: await call.secret(repository.passphrase),
    facts: set,
    target: { kind: 'restore-point' },
    stagingDir,
    ledger: { run: call.input.run, step: call.input.step, set: call.input.set },
    prove: async (server) => {
      const connection = server.connection(config.name);
      await checkRelations(config.binDir, connection, call.signal);
      const facts = await withClient(connection, (client) =>
        databaseFacts(client, { recoveredLsn: set.restorePointLsn, timeline: set.timeline }),
      );
      await whileUp(await scratchDatabase(connection));
      return facts;
    },
    onProgress: call.progress,
    signal: call.signal,
  });
  // Every page, those of indexes that pg_amcheck knows nothing of included. Not every cluster has checksums.
  const cluster = { binDir: config.binDir, dataDir: stagingDir, user: config.runAs };
  if (!(await readControl(cluster)).checksums) return { facts: staged.proof, detail: 'no page checksums' };
  call.progress('checking page checksums');
  const pages = await checkPageChecksums(cluster, call.signal);
  return { facts: staged.proof, detail: `${pages} pages checked` };
}
