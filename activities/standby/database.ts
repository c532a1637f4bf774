import { observeSwitch, switchIn, switchPaths, type StepKey } from '../../adapters/files/switch-in.ts';
import { createStanza } from '../../adapters/postgres/backup.ts';
import { isLost, queryValue, waitReady, withClient, type Client } from '../../adapters/postgres/client.ts';
import { siteArchiveCommand } from '../../adapters/postgres/pgbackrest-config.ts';
import {
  ensureSlot,
  hasWal,
  limitSlots,
  primaryPosition,
  slotOf,
  standbyPosition,
} from '../../adapters/postgres/replication.ts';
import { finishedResult, writeLedger } from '../../adapters/postgres/staging.ts';
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
import { archiveAnew, proveWritable } from '../database/generation.ts';
import { adminConnection, requireRepository } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { following } from './followed.ts';
import { isMongo } from './mongodb.ts';
import { copyMongo, followMongo, promoteMongo } from './mongodb-standby.ts';

/** The database of a standby: its data made beside the old ones, started as one that follows, promoted. Here PostgreSQL. */

export function createStandbyDatabaseActivities(deps: Deps) {
  return {
    'copy-database': guarded(deps, 'mutate', byKind(copyDatabase, copyMongo)),
    'follow-database': guarded(deps, 'mutate', byKind(followDatabase, followMongo)),
    'promote-database': guarded(deps, 'mutate', byKind(promoteDatabase, promoteMongo)),
  };
}

type Step = (call: Call) => Promise<StepResult>;

const byKind =
  (postgresql: Step, mongodb: Step): Step =>
  (call) =>
    isMongo(call.target) ? mongodb(call) : postgresql(call);

async function copyDatabase(call: Call): Promise<StepResult> {
  const { input, target, signal, deployment } = call;
  const cluster = clusterOf(target);
  const paths = switchPaths(cluster.dataDir, input.run);
  const key: StepKey = { run: input.run, step: input.step, set: input.set ?? '' };
  const state = await observeSwitch(paths, key);
  if (state === 'absent') {
    const making = { cluster, following: await following(call), stagingDir: paths.stagingDir, signal };
    const how = await make(call, making);
    await makeStandby(making, { command: siteArchiveCommand(cluster, requireRepository(deployment.backup)) });
    // How the data came to be lies in them: a repeated call tells the same.
    await writeLedger({ ...cluster, dataDir: paths.stagingDir, user: cluster.runAs }, key, how);
  }
  await switchIn(paths, key);
  return { summary: (await finishedResult<string>(paths.dataDir, key))!, observed: state === 'done' };
}

/** @returns how, for people */
async function make(call: Call, making: Parameters<typeof copyPrimary>[0]): Promise<string> {
  const { cluster, following: followed } = making;
  const ask = <T>(work: (client: Client) => Promise<T>): Promise<T> => withClient(followed.source, work);
  const systemIdentifier = await ask((client) =>
    queryValue<string>(client, 'SELECT system_identifier::text FROM pg_control_system()'),
  );
  if (!(await isSameCluster(cluster, systemIdentifier))) return copy(call, making);
  call.progress('winding the old data back');
  const rewound = await rewindCopy(making).catch((error: unknown) => {
    if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') throw error;
    return lastLine(error);
  });
  if (typeof rewound === 'string')
    return copy(call, making, `the site’s own data could not be wound back (${rewound})`);
  const { divergedAt, needsWal } = rewound;
  if (!(await ask((client) => hasWal(client, needsWal))))
    return copy(
      call,
      making,
      `it has no longer ${needsWal}, from which the site’s own data would have to go on`,
    );
  return divergedAt === undefined
    ? 'the site’s own data only lag behind'
    : `the site’s own data wound back: they had parted at ${divergedAt}; the old ones stay beside`;
}

async function copy(call: Call, making: Parameters<typeof copyPrimary>[0], why?: string): Promise<string> {
  const because = why === undefined ? '' : `: ${why}`;
  call.progress(`copying the source${because}`);
  await copyPrimary(making);
  return `copied from the source${because}`;
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
    const tool = await archiveAnew(call);
    const [promoted, stanza] = await Promise.allSettled([
      promote(client, wasStandby, input.plan.to),
      createStanza(tool, signal, 'at-files'),
    ]);
    if (promoted.status === 'rejected') throw promoted.reason;
    const proofs = await proveWritable(client);
    const { timeline } = await primaryPosition(client);
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
      // The server has ended in the middle of it: it is started again, and asked anew how far it came.
      if (isLost(error)) throw error;
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
