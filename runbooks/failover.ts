import type { Step } from '../domain/step.ts';
import type { Precondition } from './order.ts';
import { retold } from './retold.ts';

/**
 * Fail over to a standby: its stores, which follow those of the site that serves, take over. A graceful one first lets
 * the standby become level, and loses nothing; a forced one fences the source first, and measures what is lost. What must
 * wait out the Gateways' session cache, or the Pump, comes after the traffic.
 */

const MINUTE_MS = 60_000;

export const FAILOVER_STEPS = [
  {
    id: 'check-replicas',
    phase: 'infrastructure',
    after: [],
    risk: 'probe',
    where: 'target',
    purpose: 'See that the stores of the standby follow the source, and how far they are behind.',
    proof: 'each is a replica of the source; its newest watermark is within the limit',
    limitMs: MINUTE_MS,
  },
  retold('check-other-sites', ['check-replicas']),
  {
    id: 'drain-source',
    phase: 'infrastructure',
    after: ['check-replicas', 'check-other-sites'],
    risk: 'mutate',
    where: 'traffic',
    purpose:
      'Send all clients to the site that serves beside the source, before anything of the source is stopped.',
    proof: 'the source’s servers are out, once what was under way has ended',
    undo: 'undo-traffic',
    limitMs: 10 * MINUTE_MS,
  },
  {
    id: 'stop-writes',
    phase: 'infrastructure',
    after: ['check-replicas', 'check-other-sites', 'drain-source'],
    risk: 'mutate',
    where: 'live',
    purpose: 'Let no client write any more at the source, and note where its stores ended.',
    proof: 'the database is read-only, Redis holds writes back, and the Dashboard is stopped',
    undo: 'resume-writes',
    limitMs: 2 * MINUTE_MS,
  },
  {
    id: 'await-level',
    phase: 'infrastructure',
    after: ['stop-writes'],
    risk: 'probe',
    where: 'target',
    purpose: 'Wait until everything that the source has written is in the stores of the standby.',
    proof: 'positions equal, so that nothing is lost',
    limitMs: 5 * MINUTE_MS,
  },
  retold('fence-source', ['check-replicas', 'check-other-sites', 'await-level'], { undo: 'return-source' }),
  {
    id: 'take-command',
    phase: 'infrastructure',
    after: ['fence-source'],
    risk: 'mutate',
    where: 'target',
    purpose: 'Take command of the standby: from here on it is the site that serves.',
    proof: 'the epoch on it is this run’s, and it is no standby any more',
    undo: 'give-back',
    limitMs: MINUTE_MS,
  },
  {
    id: 'promote-redis',
    phase: 'redis',
    after: ['take-command'],
    risk: 'mutate',
    where: 'redis',
    purpose: 'Make the replica the master, also after a restart.',
    proof: 'it is a master and has keys',
    limitMs: 2 * MINUTE_MS,
  },
  {
    id: 'promote-database',
    phase: 'database',
    after: ['take-command'],
    risk: 'mutate',
    where: 'database',
    purpose: 'Promote the standby, on an archive of its own.',
    proof: 'it accepts writes on a new timeline; MongoDB: it is PRIMARY',
    limitMs: 5 * MINUTE_MS,
  },
  retold('measure-loss', ['promote-redis', 'promote-database']),
  retold('start-dashboard', ['promote-redis', 'promote-database']),
  retold('prove-dashboard', ['start-dashboard']),
  retold('start-gateways', ['prove-dashboard']),
  retold('start-pump', ['prove-dashboard']),
  retold('prove-gateways', ['start-gateways']),
  retold('prove-apis', ['prove-gateways']),
  retold('prove-authentication', ['prove-gateways']),
  retold('switch-traffic', ['prove-apis', 'prove-authentication']),
  retold('prove-traffic', ['switch-traffic']),
  {
    id: 'retire-source',
    phase: 'close-out',
    after: ['prove-traffic'],
    risk: 'mutate',
    where: 'live',
    purpose: 'Stop what still runs at the source now that nobody is served from there.',
    proof: 'its services are stopped, and its start commands refuse',
    skippable: true,
    limitMs: 5 * MINUTE_MS,
  },
  retold('prove-analytics', ['prove-traffic', 'start-pump'], { phase: 'close-out' }),
  retold('measure-outage', ['prove-traffic']),
  retold('protect-database', ['prove-traffic']),
  retold('prove-dashboard-edit', ['prove-traffic']),
  retold('measure-performance', ['prove-traffic']),
  retold('prove-security', ['prove-traffic']),
  retold('write-record', []),
] as const satisfies readonly Step[];

export type FailoverStepId = (typeof FAILOVER_STEPS)[number]['id'];

/** A site that was given up does not get its command back: it may be gone, and what it has is not all. */
export const FORCED_STEPS = FAILOVER_STEPS.map((step: Step): Step => {
  const { undo: _undo, ...row } = step;
  return step.id === 'fence-source' || step.id === 'take-command' ? row : step;
});

/** Whoever could still write is fenced before another may. */
export const FAILOVER_PRECONDITIONS: readonly Precondition[] = [
  { holdsFor: ({ id, risk }) => risk === 'mutate' && id !== 'write-record', needs: ['check-replicas'] },
  { holdsFor: ({ id }) => id.startsWith('promote-'), needs: ['fence-source', 'take-command'] },
  { holdsFor: ({ id }) => id.startsWith('start-'), needs: ['take-command'] },
  {
    holdsFor: ({ id }) => id === 'switch-traffic',
    needs: ['prove-gateways', 'prove-apis', 'prove-authentication'],
  },
];
