import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackTree } from '../../adapters/backup/tree.ts';
import { queryValue, withClient } from '../../adapters/postgres/client.ts';
import { compareExact } from '../../adapters/postgres/compare.ts';
import * as databases from '../../adapters/postgres/database-switch.ts';
import { createDatabase, fillDatabase, requireFit } from '../../adapters/postgres/dump-restore.ts';
import { databaseFacts } from '../../adapters/postgres/proof.ts';
import { makeRoles } from '../../adapters/postgres/roles.ts';
import { awaitLockFree } from '../../adapters/postgres/staging.ts';
import { stopService } from '../../adapters/service/service.ts';
import type { StepKey } from '../../adapters/files/switch-in.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { DatabaseFacts, DumpFacts, Manifest } from '../../domain/manifest.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import type { BackupCall, Call } from '../guard.ts';
import { manifestOf, openPartIntoFile, setOf } from '../open-set.ts';
import { notMeasured, proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { connector, dumpFacts, isEmpty, postgresOf, requireOurs, wake, withServer } from './dump-server.ts';
import { sum } from './postgresql.ts';

/** Restored and proven in a database beside the old one, on the running server, then switched in by renaming both. */

export async function restore(call: Call): Promise<StepResult> {
  const { manifest } = await manifestOf(setOf(call));
  if (!manifest.database) return { summary: 'the set has no database' };
  await wake(call);
  const names = namesOf(call);
  const connect = await connector(call);
  const seen = await withServer(call, (client) =>
    databases.observeDatabase<StepResult>(client, names, keyOf(call), () => isEmpty(connect(names.staging))),
  );
  if (seen.state === 'done')
    return { ...seen.result!, summary: 'the restored data are in place already', observed: true };
  await requireOurs(call);
  const result = seen.state === 'staged' ? seen.result! : await stage(call, manifest);
  call.progress('switching');
  const old = await withServer(call, (client) => databases.switchDatabase(client, names));
  return old ? result : { ...result, summary: `${result.summary}; there was none before` };
}

async function stage(call: Call, manifest: Manifest): Promise<StepResult> {
  const { target, signal } = call;
  const config = postgresOf(target);
  const facts = dumpFacts(manifest);
  const names = namesOf(call);
  const connect = await connector(call);
  const startedAt = performance.now();
  const folder = scratchOf(call);
  const lockFile = `${folder}.lock`;
  // What a killed attempt has begun is nothing: its sessions end with its database, and its programs with them.
  await withServer(call, async (client) => {
    await requireFit(client, `${config.host}:${config.port}`, facts);
    await databases.drop(client, names.staging);
  });
  await mkdir(target.stateDir, { recursive: true });
  await awaitLockFree(lockFile, signal);
  await unpackDumps(call, manifest, folder);
  await withServer(call, async (client) => {
    const user = { name: config.user, password: await call.secret(config.password) };
    await makeRoles(client, { needed: facts.roles, owner: facts.owner, user });
    await createDatabase(client, names.staging, facts);
    await databases.markBuilding(client, names, keyOf(call));
  });
  await fillDatabase({
    ...{ binDir: config.binDir, jobs: config.jobs, connection: connect, facts, folder, lockFile, signal },
    database: names.staging,
    say: call.progress,
  });
  call.progress('counting');
  const found = await withClient(connect(names.staging), async (client) => ({
    facts: await databaseFacts(client),
    version: await queryValue<string>(client, 'SHOW server_version'),
  }));
  const result: StepResult = {
    summary: `${sum(found.facts.rows)} rows as of ${facts.takenAt}, the moment of the dump; what was written later is not in it; took ${formatDuration(performance.now() - startedAt)}`,
    proofs: proveDump(facts, found.facts, Number.parseInt(found.version, 10)),
  };
  await withServer(call, (client) => databases.markProven(client, names, keyOf(call), result));
  await discardScratch(call);
  return result;
}

/** @throws DrError DATA_UNPROVEN */
export function proveDump(facts: DumpFacts, found: DatabaseFacts, majorVersion: number): Proof[] {
  const { counted } = facts;
  const sameMajor = majorVersion === facts.majorVersion;
  // Definitions are printed by the server, and another major version has other words for the same.
  compareExact(sameMajor ? counted : { ...counted, schemaDigest: found.schemaDigest }, found);
  return [
    proof('row counts of every table', true, sum(counted.rows), sum(found.rows)),
    sameMajor
      ? proof('schema digest', true, counted.schemaDigest.slice(0, 12), found.schemaDigest.slice(0, 12))
      : notMeasured('schema digest', `PostgreSQL ${majorVersion} words definitions differently`),
  ];
}

/** Opens and unpacks both dumps. A dump is needed as a folder: several connections read it at the same time. */
export async function unpackDumps(
  call: Call | BackupCall,
  manifest: Manifest,
  folder: string,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const part of ['control', 'analytics']) {
    if (part === 'analytics' && dumpFacts(manifest).analyticsTables.length === 0) continue;
    call.progress(`opening the ${part} dump`);
    const archive = join(folder, `${part}.tar`);
    await openPartIntoFile(setOf(call), manifest, `dump-${part}`, archive);
    await unpackTree(archive, folder, `dump-${part}`);
    await rm(archive);
  }
}

export async function start(call: Call): Promise<StepResult> {
  const started = await wake(call);
  const [standby, version] = await withServer(call, async (client) => [
    await queryValue<boolean>(client, 'SELECT pg_is_in_recovery()'),
    await queryValue<string>(client, 'SHOW server_version'),
  ]);
  const found = standby ? 'in recovery' : 'not in recovery';
  const proofs = [proof('it accepts writes', !standby, 'not in recovery', found)];
  requireProofs(proofs);
  return {
    summary: `PostgreSQL ${version.split(' ')[0]} ${started ? 'started' : 'ran already'}`,
    observed: !started,
    proofs,
  };
}

export async function undo(call: Call): Promise<string> {
  const started = await wake(call);
  const undone = await withServer(call, (client) =>
    databases.undoDatabase(client, namesOf(call), keyOf(call)),
  );
  await discardScratch(call);
  // A run that is given up leaves the target stopped.
  if (started) await stopService(serviceOf(call.input.plan.to, call.target, 'database'), call.signal);
  return undone;
}

/** The Dashboard's database, and those that a restore builds beside it. */
export async function contents(call: Call): Promise<string[]> {
  const started = await wake(call);
  const names = await withServer(call, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname = $1 OR datname LIKE 'tyk\\_dr\\_%'`,
      [postgresOf(call.target).name],
    );
    return rows.map(({ name }) => `database ${name}`);
  });
  if (started) await stopService(serviceOf(call.input.plan.to, call.target, 'database'), call.signal);
  return names;
}

export async function discardOld(call: Call): Promise<boolean> {
  if (!call.input.plan.steps.includes('restore-database-data')) return false;
  await discardScratch(call);
  return withServer(call, (client) => databases.discardOldDatabase(client, namesOf(call)));
}

function namesOf({ target, input }: Call): databases.DatabaseNames {
  return databases.databaseNames(postgresOf(target).name, input.run);
}

/** Of the restore, whichever step asks. */
function keyOf({ input }: Call): StepKey {
  return { run: input.run, step: 'restore-database-data', set: input.set ?? '' };
}

function scratchOf({ target, input }: Call): string {
  return join(target.stateDir, `undump-${input.run}`);
}

async function discardScratch(call: Call): Promise<void> {
  for (const leftover of ['', '.lock'])
    await rm(scratchOf(call) + leftover, { recursive: true, force: true });
}
