import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { queryValue, type Client } from './client.ts';
import { compareLsn } from './lsn.ts';
import type { ScratchServer } from './scratch-server.ts';
import type { ProvenWal } from './wal.ts';

/** Watches a standby replay its WAL until it is where it must be, and no earlier promotes it. */

const POLL_MS = 40;

/** So often in a row the server must be seen out of WAL, at one LSN, to say that it will not go further. */
const STALLED_OBSERVATIONS = 5;

const PROMOTE_WAIT_S = 600;

export interface ReplayGoal {
  /** `end`: past the last record of the proven WAL. `pause`: where the recovery target stops it. */
  readonly stopsAt: 'end' | 'pause';
  /** For the error, where the goal is a pause: the LSN or time that was to be reached. */
  readonly expected: string;
}

export interface Reached {
  readonly lsn: string;
  /** Commit time of the last transaction that was replayed; undefined where none was. */
  readonly lastCommitAt?: string;
}

/**
 * Waits for the goal.
 *
 * @param fetched what the fetching of WAL came to, once it has ended.
 * @throws DrError WAL_DAMAGED where replay stops before it; nothing has been promoted then.
 *   InsufficientSettings where the WAL asks for larger settings: start again with them.
 */
export async function awaitReplay(
  server: ScratchServer,
  client: Client,
  goal: ReplayGoal,
  fetched: () => ProvenWal | undefined,
  options: { readonly signal?: AbortSignal | undefined; readonly onProgress: (text: string) => void },
): Promise<Reached> {
  let stalls = 0;
  let before = '';
  for (;;) {
    server.assertRunning();
    const wal = fetched();
    const now = await observe(client);
    const paused = now.state === 'paused';
    if (paused && !(await server.settingsSuffice())) throw new InsufficientSettings();
    if (goal.stopsAt === 'end' ? wal && isPast(now.lsn, wal.lastRecordLsn) : paused) {
      return { lsn: now.lsn!, ...(now.lastCommitAt === null ? {} : { lastCommitAt: now.lastCommitAt }) };
    }
    stalls = wal && now.starving && now.lsn === before ? stalls + 1 : 0;
    if (stalls >= STALLED_OBSERVATIONS) throw stopped(goal, now, wal!);
    before = now.lsn ?? '';
    options.onProgress(`replayed WAL to ${now.lsn ?? 'nowhere yet'}`);
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
}

/** The WAL raises a setting, such as max_connections, above what the scratch server was started with. */
export class InsufficientSettings extends Error {}

interface Observation {
  readonly lsn: string | null;
  readonly state: string;
  /** Replay waits because it found no more WAL anywhere. */
  readonly starving: boolean;
  readonly lastCommitAt: string | null;
}

async function observe(client: Client): Promise<Observation> {
  const { rows } = await client.query<Observation>(`
    SELECT pg_last_wal_replay_lsn()::text AS lsn,
           pg_get_wal_replay_pause_state() AS state,
           to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
             AS "lastCommitAt",
           EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup'
                   AND wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')) AS starving`);
  return rows[0]!;
}

function isPast(lsn: string | null, lastRecord: string): boolean {
  return lsn !== null && compareLsn(lsn, lastRecord) > 0;
}

function stopped(goal: ReplayGoal, now: Observation, wal: ProvenWal): DrError {
  if (wal.problem) return wal.problem;
  const last = now.lastCommitAt === null ? '' : `; the last commit in it was at ${now.lastCommitAt}`;
  return new DrError('WAL_DAMAGED', {
    reachedLsn: now.lsn ?? 'nowhere',
    expectedLsn: goal.stopsAt === 'end' ? `the record at ${wal.lastRecordLsn}` : goal.expected,
    reason:
      goal.stopsAt === 'end'
        ? `PostgreSQL refuses what follows${last}`
        : `the archive does not reach the target${last}`,
  });
}

/** Promotes a server whose replay has reached its goal; @returns the new timeline. */
export async function promote(client: Client): Promise<number> {
  const promoted = await queryValue<boolean>(client, 'SELECT pg_promote(true, $1)', [PROMOTE_WAIT_S]);
  if (!promoted) {
    throw new DrError('DATA_UNPROVEN', {
      what: 'promotion of the restored cluster',
      expected: `within ${PROMOTE_WAIT_S} s`,
      actual: 'still in recovery',
    });
  }
  const file = await queryValue<string>(client, 'SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
  return Number.parseInt(file.slice(0, 8), 16);
}
