import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareAtEnd, compareExact } from '../../adapters/postgres/compare.ts';
import { queryValue, waitReady, withClient } from '../../adapters/postgres/client.ts';
import { createStanza, listBackups, runBackup } from '../../adapters/postgres/backup.ts';
import { giveTo } from '../../adapters/postgres/pgbackrest-config.ts';
import type { Pgbackrest } from '../../adapters/postgres/pgbackrest.ts';
import { checkRelations, databaseFacts } from '../../adapters/postgres/proof.ts';
import { stageRestore } from '../../adapters/postgres/restore.ts';
import type { RecoveryTarget, StagedRestore } from '../../adapters/postgres/restore-request.ts';
import type { ScratchServer } from '../../adapters/postgres/scratch-server.ts';
import { writeDurably } from '../../adapters/files/durable.ts';
import { discardKept, keepAside, putBack } from '../../adapters/files/keep-aside.ts';
import {
  discardUndo,
  observeSwitch,
  switchIn,
  switchPaths,
  undoSwitch,
} from '../../adapters/files/switch-in.ts';
import { startService } from '../../adapters/service/service.ts';
import { clusterOf, physicalFacts } from '../../domain/cluster.ts';
import type { ClusterConfig } from '../../domain/config.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { DatabaseFacts } from '../../domain/manifest.ts';
import type { StorePoint } from '../../domain/points.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { attestationOf } from '../copies.ts';
import { databaseSource, discardAssembled } from '../database-source.ts';
import { adminConnection } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { manifestOf, setOf } from '../open-set.ts';
import { proof } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { archiveAnew, generationOf, proveWritable } from './generation.ts';
import { repositoryCheck } from './pgbackrest-check.ts';
import { CONTROL_TABLES, sum } from './postgresql.ts';

/** PostgreSQL: restored and proven beside the old data, switched in, started on its own timeline and archive. */

const START_TIMEOUT_MS = 5 * 60_000;

interface Proven {
  readonly facts: DatabaseFacts;
  readonly relations: number;
  readonly proofs: readonly Proof[];
  readonly exception?: string;
}

export async function restore(call: Call): Promise<StepResult> {
  const { input, signal } = call;
  const config = clusterOf(call.target);
  const paths = switchPaths(config.dataDir, input.run);
  const key = { run: input.run, step: input.step, set: input.set ?? '' };
  if ((await observeSwitch(paths, key)) === 'done')
    return {
      ...(await kept(paths.dataDir)),
      summary: 'the restored data are in place already',
      observed: true,
    };
  const signed = await manifestOf(setOf(call));
  if (!signed.manifest.database) return { summary: 'the set has no database' };
  const where = setOf(call);
  const facts = physicalFacts(signed.manifest);
  const repository = await databaseSource({
    ...{ asking: where, config, onProgress: call.progress },
    check: () => repositoryCheck(call, where, signed.manifest),
  });
  const attested = (await attestationOf(where, signed))?.database;
  const target = recoveryTarget(call);
  const staged = await stageRestore<Proven>({
    config,
    repository,
    passphrase: await call.secret(repository.passphrase),
    facts,
    target,
    stagingDir: paths.stagingDir,
    withoutArchive: input.plan.drill !== undefined,
    ledger: key,
    prove: (server) => prove(call, config, server, target, attested),
    onProgress: call.progress,
    signal,
  });
  const { exception } = staged.proof;
  const result: StepResult = {
    summary: summarise(staged),
    proofs: [reached(staged), ...notLater(staged, target), ...staged.proof.proofs],
    reached: lastCommit(staged),
    ...(exception === undefined ? {} : { exception }),
  };
  // Goes in with the data: a worker that is killed after the switch must not take the proofs with it.
  const file = join(paths.stagingDir, RESULT_FILE);
  await writeDurably(file, JSON.stringify(result));
  // A backup reads every file of the cluster as its user.
  await giveTo(config.runAs, file);
  await switchIn(paths, key);
  return result;
}

const RESULT_FILE = 'tyk-dr-result.json';

async function kept(dataDir: string): Promise<Partial<StepResult>> {
  const text = await readFile(join(dataDir, RESULT_FILE), 'utf8').catch(() => '{}');
  return JSON.parse(text) as Partial<StepResult>;
}

async function prove(
  { signal }: Call,
  config: ClusterConfig,
  server: ScratchServer,
  target: RecoveryTarget,
  attested: DatabaseFacts | undefined,
): Promise<Proven> {
  const connection = server.connection(config.name);
  const [facts, relations] = await Promise.all([
    withClient(connection, (client) => databaseFacts(client, { recoveredLsn: 'see the step', timeline: 0 })),
    checkRelations(config.binDir, connection, signal),
  ]);
  const proofs = [
    proof(
      'tables and indexes whole, page by page (pg_amcheck)',
      true,
      'no finding',
      `${relations.relations} relations read`,
    ),
  ];
  if (!attested) {
    proofs.push({
      name: 'row counts',
      verdict: 'not-measured',
      expected: 'equal to the set',
      actual: 'not measured: the set was never verified by a restore',
    });
  } else if (target.kind === 'restore-point') {
    compareExact(attested, facts);
    const rows = sum(attested.rows);
    proofs.push(
      proof('row counts of every table', true, rows, sum(facts.rows)),
      proof('schema digest', true, attested.schemaDigest.slice(0, 12), facts.schemaDigest.slice(0, 12)),
    );
  } else {
    const growth = compareAtEnd(attested, facts, []);
    const changed = Object.entries(growth.changed).map(([table, by]) => `${table} ${by > 0 ? '+' : ''}${by}`);
    const fewer =
      target.kind === 'end' ? CONTROL_TABLES.filter((table) => (growth.changed[table] ?? 0) < 0) : [];
    proofs.push(
      proof(
        'control tables not below the set, no table gone',
        fewer.length === 0,
        `${sum(attested.rows)} rows or more`,
        `${sum(facts.rows)} rows${changed.length > 0 ? ` (${changed.slice(0, 5).join(', ')})` : ''}`,
      ),
    );
    if (target.kind === 'time') {
      // Between the set and the moment there may have been more or fewer: both are said, neither is judged.
      const [apis] = CONTROL_TABLES as [string];
      const found = facts.rows[apis] ?? 0;
      proofs.push(
        proof('APIs as of that moment', found > 0, `some (${attested.rows[apis] ?? 0} in the set)`, found),
      );
    }
    if (fewer.length > 0) {
      // All WAL was replayed and proven: somebody deleted these, on purpose or not. A person must hear of it.
      const told = fewer.map((table) => `${table} ${growth.changed[table]}`).join(', ');
      const exception = `rows were deleted after the set was taken: ${told}; was that meant? To go back before it: --scenario human-error`;
      return { facts, relations: relations.relations, proofs, exception };
    }
  }
  return { facts, relations: relations.relations, proofs };
}

function recoveryTarget({ input }: Call): RecoveryTarget {
  const { point } = input.plan;
  if (point.kind === 'archive-end') return { kind: 'end' };
  return point.kind === 'time' ? { kind: 'time', time: point.at } : { kind: 'restore-point' };
}

function reached(staged: StagedRestore<Proven>): Proof {
  const commit = staged.lastCommitAt === undefined ? '' : `, last commit ${staged.lastCommitAt}`;
  return proof(
    'replay reached its expected end before promotion',
    true,
    `at least ${staged.expected}`,
    `${staged.reachedLsn}${commit}`,
  );
}

/** How new its data are at least: with nothing committed since, it is as new as its plan says all the same. */
function lastCommit({ lastCommitAt }: StagedRestore<Proven>): StorePoint {
  if (lastCommitAt === undefined) return { store: 'database', from: 'no commit since the backup' };
  const at = new Date(lastCommitAt).toISOString();
  return { store: 'database', at, from: `last commit ${at}` };
}

/** Going back to a moment is about what is gone as much as about what is back. */
function notLater({ lastCommitAt }: StagedRestore<Proven>, target: RecoveryTarget): Proof[] {
  if (target.kind !== 'time') return [];
  const found = lastCommitAt ?? 'none since the backup';
  const ok = lastCommitAt === undefined || Date.parse(lastCommitAt) <= Date.parse(target.time);
  return [proof('no change later than the moment is in it', ok, `at or before ${target.time}`, found)];
}

function summarise(staged: StagedRestore<Proven>): string {
  const parts = Object.entries(staged.durationsMs).map(([part, ms]) => `${part} ${formatDuration(ms)}`);
  return `recovered to ${staged.reachedLsn}${staged.lastCommitAt ? ` (last commit ${staged.lastCommitAt})` : ''}, timeline ${staged.timeline}; ${parts.join(', ')}`;
}

export async function start(call: Call): Promise<StepResult> {
  const { input, target, signal } = call;
  const config = clusterOf(call.target);
  const service = serviceOf(input.plan.to, target, 'database');
  let tool: Pgbackrest | undefined;
  if (input.plan.steps.includes('restore-database-data') && input.plan.drill === undefined) {
    // Before the first WAL of the new timeline is archived: into a repository that only this generation writes.
    await keepAside(config.pgbackrest.configFile, input.run);
    tool = await archiveAnew(call);
  }
  // Until its stanza exists the repository takes no WAL: made from the files while the server starts, it is there
  // before the first client writes.
  const [starting, stanza] = await Promise.allSettled([
    startService(service, signal),
    tool && createStanza(tool, signal, 'at-files'),
  ]);
  if (starting.status === 'rejected') throw starting.reason;
  if (stanza.status === 'rejected') throw stanza.reason;
  const started = starting.value;
  const admin = await adminConnection(config, call.secret);
  const client = await whileRunning(service, signal, (either) =>
    waitReady(admin, { deadlineMs: START_TIMEOUT_MS, signal: either }),
  );
  try {
    const proofs = await proveWritable(client);
    const timeline = await queryValue<number>(client, 'SELECT timeline_id FROM pg_control_checkpoint()');
    return {
      summary: `${started ? 'started' : 'ran already'} on timeline ${timeline}`,
      observed: !started,
      proofs,
    };
  } finally {
    await client.end();
  }
}

/** Until this has ended the new primary has no backup at all; it comes after the traffic, which must not wait for it. */
export async function protect(call: Call): Promise<StepResult> {
  const { signal } = call;
  const tool = await makeStanza(call);
  const generation = generationOf(call);
  if ((await listBackups(tool)).length > 0)
    return { summary: `${generation} has a backup already`, observed: true };
  await runBackup(tool, 'full', signal);
  return { summary: `first full backup of ${generation} is in its repository` };
}

export async function undo({ target, input }: Call): Promise<string> {
  const { dataDir, pgbackrest: own } = clusterOf(target);
  const key = { run: input.run, step: input.step, set: input.set ?? '' };
  const undone = await undoSwitch(switchPaths(dataDir, input.run), key);
  // The old data archive to the old repository again, not to that of a generation that never came to be.
  await putBack(own.configFile, input.run);
  return undone;
}

export async function discardOld({ target, input }: Call): Promise<boolean> {
  const { dataDir, pgbackrest: own } = clusterOf(target);
  const removed = await discardUndo(switchPaths(dataDir, input.run));
  await discardKept(own.configFile, input.run);
  await discardAssembled(clusterOf(target));
  return removed;
}

/** The socket folder is only known once the server runs. */
async function makeStanza(call: Call): Promise<Pgbackrest> {
  const tool = await archiveAnew(call);
  await createStanza(tool, call.signal);
  return tool;
}
