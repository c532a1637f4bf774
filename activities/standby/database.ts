import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../adapters/files/durable.ts';
import { keepAside } from '../../adapters/files/keep-aside.ts';
import {
  observeSwitch,
  switchIn,
  switchPaths,
  writeLedger,
  type StepKey,
} from '../../adapters/files/switch-in.ts';
import { createStanza } from '../../adapters/postgres/backup.ts';
import { queryValue, waitReady, withClient, type Client } from '../../adapters/postgres/client.ts';
import {
  giveTo,
  siteArchiveCommand,
  writePgbackrestConfig,
} from '../../adapters/postgres/pgbackrest-config.ts';
import {
  ensureSlot,
  hasWal,
  limitSlots,
  slotOf,
  standbyPosition,
} from '../../adapters/postgres/replication.ts';
import {
  copyPrimary,
  isSameCluster,
  makeStandby,
  rewindCopy,
} from '../../adapters/postgres/standby-files.ts';
import { startService } from '../../adapters/service/service.ts';
import { clusterOf } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { StepResult } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import { adminConnection, pgbackrestSite, requireRepository } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { followed, following } from './followed.ts';

/** PostgreSQL of a standby: its data made beside the old ones, started as one that follows, promoted. */

export function createStandbyDatabaseActivities(deps: Deps) {
  return {
    'copy-database': guarded(deps, 'mutate', copyDatabase),
    'follow-database': guarded(deps, 'mutate', followDatabase),
    'promote-database': guarded(deps, 'mutate', promoteDatabase),
  };
}

/** How the data came to be lies in them, as does the ledger: a repeated call tells the same. */
const RESULT_FILE = 'tyk-dr-result.json';

async function copyDatabase(call: Call): Promise<StepResult> {
  const { input, target, signal, deployment } = call;
  const cluster = clusterOf(target);
  const paths = switchPaths(cluster.dataDir, input.run);
  const key: StepKey = { run: input.run, step: input.step, set: input.set ?? '' };
  const state = await observeSwitch(paths, key);
  if (state === 'absent') {
    const making = { cluster, following: await following(call), stagingDir: paths.stagingDir, signal };
    const summary = await make(call, making);
    const archive = { command: siteArchiveCommand(cluster, requireRepository(deployment.backup)) };
    await makeStandby(making, archive);
    // Those of the source's own recovery came with its data.
    for (const name of [RESULT_FILE, 'tyk-dr-step.json'])
      await rm(join(paths.stagingDir, name), { force: true });
    await writeDurably(join(paths.stagingDir, RESULT_FILE), JSON.stringify({ summary }));
    await writeLedger(paths.stagingDir, key);
    await giveTo(
      cluster.runAs,
      ...[RESULT_FILE, 'tyk-dr-step.json'].map((name) => join(paths.stagingDir, name)),
    );
  }
  await switchIn(paths, key);
  const { summary } = JSON.parse(await readFile(join(paths.dataDir, RESULT_FILE), 'utf8')) as {
    summary: string;
  };
  return { summary, observed: state === 'done' };
}

/** @returns how, for people */
async function make(call: Call, making: Parameters<typeof copyPrimary>[0]): Promise<string> {
  const { cluster } = making;
  const systemIdentifier = await withClient(await followed(call), (client) =>
    queryValue<string>(client, 'SELECT system_identifier::text FROM pg_control_system()'),
  );
  if (await isSameCluster(cluster, systemIdentifier)) {
    call.progress('winding the old data back');
    try {
      const { divergedAt, needsWal } = await rewindCopy(making);
      if (!(await withClient(await followed(call), (client) => hasWal(client, needsWal)))) {
        call.progress('copying the source: it has no longer the WAL between the two');
        await copyPrimary(making);
        return `copied from the source: it has no longer ${needsWal}, from which the site’s own data would have to go on`;
      }
      return divergedAt === undefined
        ? 'the site’s own data only lag behind'
        : `the site’s own data wound back: they had parted at ${divergedAt}; the old ones stay beside`;
    } catch (error) {
      if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') throw error;
      call.progress('copying the source: the old data cannot be wound back');
      await copyPrimary(making);
      return `copied from the source: the site’s own data could not be wound back (${lastLine(error)})`;
    }
  }
  call.progress('copying the source');
  await copyPrimary(making);
  return 'copied from the source';
}

/** What the tool said at its end. */
const lastLine = ({ details }: DrError): string =>
  String(details['output'] ?? '')
    .split('\n')
    .at(-1) ?? '';

const START_TIMEOUT_MS = 10 * 60_000;

async function followDatabase(call: Call): Promise<StepResult> {
  const { input, target, signal } = call;
  const config = clusterOf(target);
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  const admin = await adminConnection(config, call.secret);
  return whileRunning(service, signal, async (either) => {
    const client = await waitReady(admin, { deadlineMs: START_TIMEOUT_MS, signal: either });
    try {
      let last = 'nothing';
      await awaitUntil(
        async () => {
          const position = await standbyPosition(client);
          last = position.inRecovery ? (position.receiver ?? 'no receiver runs') : 'it is no standby';
          return position.receiver === 'streaming' ? true : undefined;
        },
        {
          ...{ timeoutMs: START_TIMEOUT_MS, everyMs: 100, signal: either },
          late: () =>
            new DrError('REPLICA_NOT_LEVEL', {
              store: 'PostgreSQL',
              address: `${config.host}:${config.port}`,
              reason: last,
            }),
        },
      );
      return {
        summary: `${started ? 'started' : 'ran already'}, streams from ${input.plan.from}`,
        observed: !started,
      };
    } finally {
      await client.end();
    }
  });
}

/** Replay of what has already been received comes before the promotion ends. */
const PROMOTE_TIMEOUT_S = 60;

async function promoteDatabase(call: Call): Promise<StepResult> {
  const { input, target, deployment, signal } = call;
  const config = clusterOf(target);
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  const client = await waitReady(await adminConnection(config, call.secret), {
    deadlineMs: START_TIMEOUT_MS,
    signal,
  });
  try {
    const wasStandby = await queryValue<boolean>(client, 'SELECT pg_is_in_recovery()');
    // The other site may come back: what it will need is kept from here on, within a limit.
    if (wasStandby) await ensureSlot(client, slotOf(input.plan.from));
    await limitSlots(client, deployment.replication!.database!.keepBytes);
    // Before the first WAL of the new timeline: into a repository that only this generation writes.
    await keepAside(config.pgbackrest.configFile, input.run);
    const generation = `${input.plan.to}-${input.epoch}`;
    const tool = await writePgbackrestConfig(
      await pgbackrestSite(config, deployment.backup, call.secret, generation),
    );
    const [promoted, stanza] = await Promise.allSettled([
      promote(client, wasStandby, input.plan.to),
      createStanza(tool, signal, 'at-files'),
    ]);
    if (promoted.status === 'rejected') throw promoted.reason;
    const timeline = await queryValue<number>(
      client,
      `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int`,
    );
    const standby = await queryValue<boolean>(client, 'SELECT pg_is_in_recovery()');
    const proofs = [
      proof('it accepts writes', !standby, 'not in recovery', standby ? 'in recovery' : 'not in recovery'),
    ];
    requireProofs(proofs);
    const how = wasStandby ? `promoted in ${formatDuration(promoted.value)}` : 'was promoted already';
    return {
      summary: `${how}, timeline ${timeline}${started ? '; it had to be started' : ''}`,
      observed: !wasStandby,
      proofs,
      // Its WAL waits until the first backup of the new generation has made the repository.
      ...(stanza.status === 'rejected'
        ? { exception: `promote-database: no archive yet: ${String(stanza.reason)}` }
        : {}),
    };
  } finally {
    await client.end();
  }
}

/** @returns how long it took, milliseconds. @throws DrError PROMOTION_FAILED */
async function promote(client: Client, isStandby: boolean, site: string): Promise<number> {
  if (!isStandby) return 0;
  const startedAt = performance.now();
  const ended = await queryValue<boolean>(client, 'SELECT pg_promote(true, $1)', [PROMOTE_TIMEOUT_S]).catch(
    (error: unknown) => {
      throw new DrError(
        'PROMOTION_FAILED',
        { store: 'the database', site, reason: String(error) },
        { cause: error },
      );
    },
  );
  if (!ended)
    throw new DrError('PROMOTION_FAILED', {
      store: 'the database',
      site,
      reason: `not done after ${PROMOTE_TIMEOUT_S} s`,
    });
  return performance.now() - startedAt;
}
