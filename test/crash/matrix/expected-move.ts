import type { Step } from '../../../domain/step.ts';
import { FAILOVER_STEPS } from '../../../runbooks/failover.ts';
import { REPLICATE_STEPS } from '../../../runbooks/replicate.ts';
import type { Moment, MoveName, Point, SceneName } from './cells.ts';
import type { Expected } from './expected.ts';

/** What must come of a disturbance while two sites exchange their roles. */

const MOVE_NAMES: readonly SceneName[] = ['graceful', 'forced', 'replicate'] satisfies MoveName[];

export const isMove = (scene: SceneName): scene is MoveName => MOVE_NAMES.includes(scene);

const tableOf = (scene: SceneName): readonly Step[] =>
  scene === 'replicate' ? REPLICATE_STEPS : FAILOVER_STEPS;

export function expectedOfMove({ scene, step, id }: Point, moment: Moment): Expected {
  const forGood = moment === 'fails-for-good' || moment === 'fails-after-effect';
  const retry = moment === 'refused-once';
  const well = scene === 'replicate' ? 'REPLICATED' : 'RECOVERED';
  if ((forGood || retry) && isFirstLook(scene, step!)) return { outcome: 'REFUSED', packs: false, retry };
  if (!forGood) return { outcome: well, packs: true, retry };
  if (comesAfter(scene, id, 'prove-traffic'))
    return { outcome: 'RECOVERED_WITH_EXCEPTIONS', packs: false, retry };
  return { outcome: 'FAILED_UNDONE', packs: false, retry };
}

/** A look, and nothing before it has changed anything. */
function isFirstLook(scene: SceneName, step: Step): boolean {
  const table = tableOf(scene);
  return table.slice(0, table.indexOf(step) + 1).every(({ risk }) => risk === 'probe');
}

/**
 * Whether a run that is given up here leaves a deployment that serves: up to the fence the source does, and once clients
 * are served the target. In between a person is asked, and their `retry` is tried.
 */
export function givesUpWell({ scene, id }: Point): boolean {
  if (scene === 'replicate') return true;
  if (comesAfter(scene, id, 'prove-traffic')) return true;
  return scene === 'graceful' && id !== 'fence-source' && !comesAfter(scene, id, 'fence-source');
}

/** Whether a row waits for another, at any distance. */
export function comesAfter(scene: SceneName, id: string, other: string): boolean {
  const row = tableOf(scene).find((each) => each.id === id)!;
  return row.after.some((each) => each === other || comesAfter(scene, each, other));
}

/** What may run at the same time. */
export function branchOfMove(id: string): string {
  return AT_ONCE.find((ids) => ids.includes(id))?.[0] ?? id;
}

const AT_ONCE: readonly (readonly string[])[] = [
  ['promote-redis', 'promote-database'],
  [
    'copy-database',
    'clear-redis',
    'restore-dashboard-config',
    'restore-gateway-config',
    'restore-pump-config',
  ],
  ['follow-redis', 'follow-database'],
];
