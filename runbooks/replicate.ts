import type { Step } from '../domain/step.ts';
import type { Precondition } from './order.ts';
import { retold } from './retold.ts';

/**
 * Make a site the standby of the one that serves, which serves on: also the way back of a site that was failed over
 * from. What only the old site had stays beside the new data.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const REPLICATE_STEPS = [
  {
    id: 'check-source',
    phase: 'infrastructure',
    after: [],
    risk: 'probe',
    where: 'live',
    purpose: 'See that the source serves, and that its stores can be followed.',
    proof: 'stores run and are written to; wal_level, senders, slots and checksums suffice',
    limitMs: MINUTE_MS,
  },
  {
    id: 'check-standby',
    phase: 'infrastructure',
    after: ['check-source'],
    risk: 'probe',
    where: 'target',
    purpose: 'See that the site may become a standby: it does not serve, and has what it needs.',
    proof: 'tools, disk and reachable stores of the source; clients are not sent to it',
    limitMs: MINUTE_MS,
  },
  // Configuration of Dashboard, Gateways and Pump comes from the newest set.
  retold('check-backup', ['check-standby']),
  {
    id: 'open-replication',
    phase: 'infrastructure',
    after: ['check-backup'],
    risk: 'mutate',
    where: 'live',
    purpose: 'Make the role and the slot that the standby needs, or make it a member, before the copy.',
    proof: 'the slot keeps WAL from now on; MongoDB: it is a member without a vote',
    undo: 'close-replication',
    limitMs: 2 * MINUTE_MS,
  },
  retold('hold-traffic', ['open-replication'], {
    purpose: 'Take a site that shares the clients out of their address while it is made anew.',
  }),
  {
    id: 'claim-standby',
    phase: 'infrastructure',
    after: ['open-replication', 'hold-traffic'],
    risk: 'mutate',
    where: 'target',
    purpose: 'Take command of the site and stop what runs there; a fence stays up.',
    proof: 'the epoch on it is this run’s, and nothing runs',
    limitMs: 5 * MINUTE_MS,
  },
  {
    id: 'copy-database',
    phase: 'database',
    after: ['claim-standby'],
    risk: 'mutate',
    where: 'database',
    purpose: 'Wind the site’s own data back to where they parted, or copy the source, beside the old data.',
    proof: 'the tool ended well, and the data are those of the source’s cluster',
    undo: 'undo-copy',
    limitMs: 6 * HOUR_MS,
  },
  {
    id: 'clear-redis',
    phase: 'redis',
    after: ['claim-standby'],
    risk: 'mutate',
    where: 'redis',
    purpose: 'Lay the old data aside: a replica gets its own from its master.',
    proof: 'the data folder is empty, the old one stands beside it',
    undo: 'undo-copy',
    limitMs: 5 * MINUTE_MS,
  },
  retold('restore-dashboard-config', ['claim-standby'], { undo: 'undo-switch' }),
  retold('restore-gateway-config', ['claim-standby'], { undo: 'undo-switch' }),
  {
    id: 'restore-pump-config',
    phase: 'gateways',
    after: ['claim-standby'],
    risk: 'mutate',
    where: 'pump',
    purpose: 'Bring the configuration of the Pump, rewritten to the target.',
    proof: 'every address in it is the target’s',
    undo: 'undo-switch',
    limitMs: 5 * MINUTE_MS,
  },
  {
    id: 'mark-standby',
    phase: 'infrastructure',
    after: ['copy-database', 'clear-redis'],
    risk: 'mutate',
    where: 'target',
    purpose: 'Mark the site as a standby, and lift its fence: what starts now follows.',
    proof: 'the mark names the source',
    undo: 'unmark-standby',
    limitMs: MINUTE_MS,
  },
  {
    id: 'follow-redis',
    phase: 'redis',
    after: ['mark-standby'],
    risk: 'mutate',
    where: 'redis',
    purpose: 'Start Redis as a replica, also after a restart.',
    proof: 'the whole data are there and the stream runs',
    limitMs: HOUR_MS,
  },
  {
    id: 'follow-database',
    phase: 'database',
    after: ['mark-standby'],
    risk: 'mutate',
    where: 'database',
    purpose: 'Start the database as a standby.',
    proof: 'its receiver streams through the slot; MongoDB: it is SECONDARY',
    limitMs: HOUR_MS,
  },
  {
    id: 'prove-replicas',
    phase: 'verification',
    after: ['follow-redis', 'follow-database'],
    risk: 'probe',
    where: 'target',
    purpose: 'See that the standby is level: what the source writes arrives.',
    proof:
      'each store streams and has what was written before, and a watermark of the last seconds comes through',
    limitMs: 5 * MINUTE_MS,
  },
  {
    id: 'make-synchronous',
    phase: 'close-out',
    after: ['prove-replicas'],
    risk: 'mutate',
    where: 'live',
    purpose: 'Let commits wait for the standby, or not, as the configuration has it.',
    proof: 'synchronous_standby_names says so',
    skippable: true,
    limitMs: MINUTE_MS,
  },
  retold('start-dashboard', ['prove-replicas', 'restore-dashboard-config']),
  retold('start-gateways', ['start-dashboard', 'restore-gateway-config']),
  {
    id: 'share-traffic',
    phase: 'traffic',
    after: ['start-gateways'],
    risk: 'mutate',
    where: 'traffic',
    purpose: 'Let the standby serve its share of the clients.',
    proof: 'the address leads to both sites, and the probes answer there as they must',
    skippable: true,
    limitMs: 10 * MINUTE_MS,
  },
  {
    id: 'keep-abandoned',
    phase: 'close-out',
    after: ['prove-replicas'],
    risk: 'mutate',
    where: 'target',
    purpose: 'Keep what only the old site had, and remove the old data where there is nothing of that kind.',
    proof: 'what is kept is named, with its place',
    skippable: true,
    limitMs: HOUR_MS,
  },
  retold('write-record', []),
] as const satisfies readonly Step[];

export type ReplicateStepId = (typeof REPLICATE_STEPS)[number]['id'];

/** Nothing of a site is replaced before it is known that the other one serves, and this one does not. */
export const REPLICATE_PRECONDITIONS: readonly Precondition[] = [
  {
    holdsFor: ({ id, risk }) => risk === 'mutate' && id !== 'write-record',
    needs: ['check-source', 'check-standby'],
  },
  {
    holdsFor: ({ where, risk, id }) =>
      risk === 'mutate' &&
      where !== 'live' &&
      !['hold-traffic', 'claim-standby', 'write-record'].includes(id),
    needs: ['claim-standby'],
  },
  { holdsFor: ({ id }) => id.startsWith('follow-') || id.startsWith('start-'), needs: ['mark-standby'] },
];
