import type { RecoverPlan } from '../domain/plan.ts';
import { compileFailover } from './failover-plan.ts';
import { compilePlan } from './plan.ts';
import type { DeploymentShape } from './shape.ts';

/**
 * What people are offered where a standby is too far behind, or does not take over: first the other standbys, which lose
 * least, then the backup. Whether another site is a standby at all is found out by its own first step.
 */
export function otherWays(
  shape: DeploymentShape,
  { from, to, onFailure }: Pick<RecoverPlan, 'from' | 'to' | 'onFailure'>,
): RecoverPlan[] {
  const none = [from, to, shape.drill?.site];
  const standbys = Object.keys(shape.sites).filter((site) => !none.includes(site));
  return [
    ...standbys.map((site) => compileFailover(shape, { to: site, from, mode: 'forced', onFailure })),
    compilePlan(shape, {
      ...{ from, to, backup: 'latest', scenario: 'infrastructure', inPlace: false, onFailure },
    }),
  ];
}
