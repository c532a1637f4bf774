import { DrError } from '../domain/errors.ts';
import type { Step } from '../domain/step.ts';

/**
 * Whether a table of steps can be run at all, and whether a selection of it keeps what must never be left out. Asked
 * when a plan is compiled: a mistake in a runbook is found at a desk, not at 3 a.m.
 */

/** What must have ended before a step begins, whatever else a plan leaves out. */
export interface Precondition {
  readonly holdsFor: (step: Step) => boolean;
  readonly needs: readonly string[];
}

const ENTRY = ['check-backup', 'check-target'] as const;
/** Before these the target is not ours; the record concerns the repository, not the target. */
const BEFORE_CLAIM: readonly string[] = [
  'provision-target',
  'fence-source',
  'hold-traffic',
  'claim-target',
  // Of a drill, whose target is nobody's.
  'list-target',
  'inject-disaster',
];
const OUTSIDE = 'write-record';

const OF_A_RECOVERY: readonly Precondition[] = [
  { holdsFor: ({ id, risk }) => risk === 'mutate' && id !== OUTSIDE, needs: ENTRY },
  {
    holdsFor: ({ id, risk }) => risk === 'mutate' && id !== OUTSIDE && !BEFORE_CLAIM.includes(id),
    needs: ['claim-target'],
  },
  {
    holdsFor: ({ id }) => id === 'switch-traffic',
    needs: ['prove-gateways', 'prove-apis', 'prove-authentication'],
  },
  { holdsFor: ({ id }) => id === 'discard-old-data', needs: ['prove-gateways'] },
];

/**
 * @param steps the whole table, in its order
 * @param planned ids of the steps that the plan runs
 * @param leftOut ids that it leaves out for a reason
 * @param preconditions those of its runbook; default those of a recovery
 * @throws DrError PLAN_UNSOUND where a step follows one that is not in the table (a gap), itself (a cycle) or one below
 * it, is there twice, is neither planned nor left out, or lacks a precondition
 */
export function requireSoundOrder(
  steps: readonly Step[],
  planned: readonly string[],
  leftOut: readonly string[],
  preconditions: readonly Precondition[] = OF_A_RECOVERY,
): void {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const unsound = (problem: string) => new DrError('PLAN_UNSOUND', { problem });
  if (byId.size < steps.length) throw unsound(`the table has ${twice(steps)} twice`);
  for (const id of planned) if (!byId.has(id)) throw unsound(`it has ${id}, which is not in the table`);
  const decided = new Set([...planned, ...leftOut]);
  const seen = new Set<string>();
  for (const { id, after } of steps) {
    if (!decided.has(id)) throw unsound(`${id} is neither part of it nor left out for a reason`);
    for (const before of after) {
      if (!byId.has(before)) throw unsound(`${id} comes after ${before}, which is not in the table`);
      if (predecessors(byId, before).has(id)) throw unsound(`${id} and ${before} wait for each other`);
      if (!seen.has(before)) throw unsound(`${id} stands above ${before}, which it comes after`);
    }
    seen.add(id);
  }
  for (const id of planned) {
    const before = predecessors(byId, id);
    for (const { holdsFor, needs } of preconditions) {
      if (!holdsFor(byId.get(id)!)) continue;
      const missing = needs.find((need) => !planned.includes(need) || !before.has(need));
      if (missing !== undefined) throw unsound(`${id} would run without ${missing} before it`);
    }
  }
}

function twice(steps: readonly Step[]): string {
  const ids = steps.map(({ id }) => id);
  return ids.find((id, index) => ids.indexOf(id) !== index)!;
}

/** Every step that has ended when this one begins, through those that a plan leaves out as well; itself in a cycle. */
function predecessors(byId: ReadonlyMap<string, Step>, id: string): Set<string> {
  const found = new Set<string>();
  const open = [...(byId.get(id)?.after ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(byId.get(next)?.after ?? []));
  }
  return found;
}

/**
 * Steps by the moment at which the order lets them begin: those of one group may run at the same time.
 *
 * @returns ids in groups, first group first; each step is in exactly one
 */
export function groupsInOrder(steps: readonly Step[], planned: readonly string[]): string[][] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const depth = new Map<string, number>();
  const groups: string[][] = [];
  for (const { id } of steps) {
    const before = [...predecessors(byId, id)].filter((other) => planned.includes(other));
    const level = Math.max(-1, ...before.map((other) => depth.get(other)!)) + 1;
    depth.set(id, level);
    if (planned.includes(id)) (groups[level] ??= []).push(id);
  }
  return groups;
}
