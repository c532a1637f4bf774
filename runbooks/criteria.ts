import type { PlannedCriterion } from '../domain/criteria.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { NOT_IN_A_DRILL, SECURITY_CHECKS } from '../domain/security-checks.ts';
import { slosText, type Slos } from '../domain/service-level.ts';

/** The guide's validation criteria as they apply to a plan: fixed with it, before anything runs. Pure. */

export interface CriteriaFacts {
  readonly slos?: Slos;
}

/** What the plan does not touch is no criterion of it: a plan that restores no store can lose nothing. */
export function plannedCriteria(
  { slos = {} }: CriteriaFacts,
  plan: Pick<RecoverPlan, 'steps' | 'objectives' | 'drill'>,
): PlannedCriterion[] {
  const { rtoMs, rpoMs } = plan.objectives;
  const has = (id: string): boolean => plan.steps.includes(id);
  const proofs = plan.steps.filter((id) => id.startsWith('prove-') && id !== 'prove-security');
  const checks = SECURITY_CHECKS.filter((check) => !plan.drill || !NOT_IN_A_DRILL.includes(check));
  return [
    { id: 'recovery-time', limit: `within ${formatDuration(rtoMs)}`, limits: { rtoMs } },
    ...(has('measure-loss')
      ? [{ id: 'data-loss' as const, limit: `at most ${formatDuration(rpoMs)}`, limits: { rpoMs } }]
      : []),
    ...(proofs.length > 0
      ? [{ id: 'functionality' as const, limit: proofs.join(', '), limits: { steps: proofs } }]
      : []),
    ...(has('measure-performance')
      ? [
          {
            id: 'performance' as const,
            limit: slosText(slos) || 'no SLO is stated',
            limits: stated(slos),
          },
        ]
      : []),
    ...(has('prove-security')
      ? [{ id: 'security' as const, limit: checks.join(', '), limits: { checks } }]
      : []),
  ];
}

function stated(slos: Slos): Record<string, number> {
  return Object.fromEntries(
    Object.entries(slos).filter((each): each is [string, number] => each[1] !== undefined),
  );
}
