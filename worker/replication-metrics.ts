import type { ReplicationFigures, SlotFigure } from '../domain/figures.ts';
import type { StoreStanding } from '../domain/replication.ts';

/** How far a standby is behind and what it costs, for Prometheus: by the worker that sees it. What was not measured has no value. */

const SECOND_MS = 1000;

type Set = (labels: Readonly<Record<string, string>>, value: number) => void;

type ReplicationGauge = readonly [
  name: string,
  help: string,
  labelNames: string[],
  fill: (set: Set, figures: ReplicationFigures) => void,
];

function ofStore(
  name: string,
  help: string,
  value: (standing: StoreStanding) => number | undefined,
): ReplicationGauge {
  return [
    name,
    help,
    ['store'],
    (set, { standing = [] }) => {
      for (const each of standing) {
        const found = value(each);
        if (found !== undefined) set({ store: each.store }, found);
      }
    },
  ];
}

function ofSlot(name: string, help: string, value: (slot: SlotFigure) => number): ReplicationGauge {
  return [
    name,
    help,
    ['standby'],
    (set, { slots }) => {
      for (const slot of slots?.slots ?? []) set({ standby: slot.site }, value(slot));
    },
  ];
}

export const REPLICATION_GAUGES: readonly ReplicationGauge[] = [
  ofStore(
    'tyk_dr_replica_streaming',
    '1 where the store follows and its stream runs, else 0',
    ({ role, streaming }) => (role === 'follows' && streaming === true ? 1 : 0),
  ),
  ofStore(
    'tyk_dr_replica_lag_seconds',
    'From the newest watermark in the standby to the newest one that the other site has acknowledged',
    ({ lagMs }) => (lagMs === undefined ? undefined : lagMs / SECOND_MS),
  ),
  ofStore(
    'tyk_dr_replica_marked_timestamp_seconds',
    'When the newest watermark in the standby was written',
    ({ markedAt }) => (markedAt === undefined ? undefined : Date.parse(markedAt) / SECOND_MS),
  ),
  ofStore('tyk_dr_replica_lag_bytes', 'Of the stream that are not here yet', ({ lagBytes }) => lagBytes),
  ofStore(
    'tyk_dr_replica_log_lag_seconds',
    'From the newest entry of the oplog in the standby to that of the other site; MongoDB',
    ({ logLagMs }) => (logLagMs === undefined ? undefined : logLagMs / SECOND_MS),
  ),
  [
    'tyk_dr_replica_max_lag_seconds',
    'A standby that is further behind is not failed over to without a person',
    [],
    (set, { maxLagMs }) => set({}, maxLagMs / SECOND_MS),
  ],
  ofSlot('tyk_dr_slot_held_bytes', 'WAL that is kept for the standby', ({ heldBytes }) => heldBytes),
  ofSlot('tyk_dr_slot_active', '1 where the standby reads it now', ({ active }) => (active ? 1 : 0)),
  ofSlot('tyk_dr_slot_lost', '1 where what the standby needs is gone: it needs a new copy', ({ status }) =>
    status === 'lost' ? 1 : 0,
  ),
  [
    'tyk_dr_slot_limit_bytes',
    'So much is kept at most; absent where nothing limits it',
    [],
    (set, { slots }) => {
      if (slots?.keepBytes !== undefined) set({}, slots.keepBytes);
    },
  ],
  [
    'tyk_dr_slot_disk_free_bytes',
    'Of the filesystem that holds the WAL',
    [],
    (set, { slots }) => {
      if (slots) set({}, slots.freeBytes);
    },
  ],
];
