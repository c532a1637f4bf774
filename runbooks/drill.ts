import type { Step } from '../domain/step.ts';
import { RECOVER_STEPS, type RecoverStepId } from './recover.ts';

/**
 * Rehearse a recovery in an isolated target while the live site serves on. The middle is the recovery's own table: what
 * is rehearsed is what will run. Around it stand the looks at the live site, and the tear-down.
 */

const MINUTE_MS = 60_000;

const BEFORE = [
  {
    id: 'observe-live',
    phase: 'infrastructure',
    after: [],
    risk: 'probe',
    where: 'live',
    purpose: 'Look at the live site before anything begins: whatever the drill does must leave it as it is.',
    proof: 'configuration, processes, ports, replication positions and counts are noted',
    limitMs: 2 * MINUTE_MS,
  },
  {
    id: 'list-target',
    phase: 'infrastructure',
    after: ['check-target'],
    risk: 'mutate',
    where: 'target',
    purpose: 'List what is on the drill’s site before, and mark it as a drill’s.',
    proof: 'the list lies in the site’s own folder, where a clean-up finds it after any crash',
    limitMs: 5 * MINUTE_MS,
  },
  {
    id: 'inject-disaster',
    phase: 'infrastructure',
    after: ['list-target'],
    risk: 'mutate',
    where: 'target',
    purpose: 'Break the isolated copy as the scenario has it.',
    proof: 'what was broken is told; the live site is out of reach',
    limitMs: 5 * MINUTE_MS,
  },
] as const satisfies readonly Step<string>[];

const AFTER = [
  {
    id: 'promote',
    phase: 'close-out',
    after: [],
    risk: 'probe',
    where: 'lead',
    purpose: 'Ask whether the deployment is to be recovered here for good.',
    proof:
      'people have approved it; the live site is fenced first, and they are asked again before the traffic',
    limitMs: MINUTE_MS,
  },
  {
    id: 'find-leaks',
    phase: 'close-out',
    after: [],
    risk: 'probe',
    where: 'target',
    purpose: 'See that nothing of the drill is left on its site.',
    proof: 'files, processes and ports are as they were listed before',
    limitMs: 5 * MINUTE_MS,
  },
  {
    id: 'compare-live',
    phase: 'close-out',
    after: ['observe-live'],
    risk: 'probe',
    where: 'live',
    purpose: 'Look at the live site again: it must be as it was, and bear no trace of the drill.',
    proof:
      'same configuration, processes and ports; positions went on; no request of the drill is in its stores',
    limitMs: 2 * MINUTE_MS,
  },
] as const satisfies readonly Step<string>[];

export type DrillStepId = (typeof BEFORE)[number]['id'] | (typeof AFTER)[number]['id'];

/** Steps of a drill: its own, and those of the recovery that it rehearses. */
export type RehearsedId = RecoverStepId | DrillStepId;

const RECOVERY: readonly Step<RehearsedId>[] = RECOVER_STEPS;
const isLook = ({ id }: Pick<Step, 'id'>): boolean => id === 'check-backup' || id === 'check-target';
const isLast = ({ id }: Pick<Step, 'id'>): boolean => id === 'write-record';
const [observe, ...mark] = BEFORE;

export const DRILL_STEPS: readonly Step<RehearsedId>[] = [
  observe,
  ...RECOVERY.filter(isLook),
  ...mark,
  ...RECOVERY.filter((step) => !isLook(step) && !isLast(step)),
  ...AFTER,
  ...RECOVERY.filter(isLast),
];
