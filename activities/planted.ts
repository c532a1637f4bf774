import { join } from 'node:path';
import type { Deployment, Site } from '../domain/config.ts';
import type { Plant } from '../domain/drill.ts';
import type { RecoverPlan } from '../domain/plan.ts';

/** Where the fault that a drill plants reaches into what its activities read. The real thing is never touched. */

/** The repository of a drill whose set has a truncated object: links to the real one, but for that object. */
export const plantedRepository = ({ stateDir }: Pick<Site, 'stateDir'>): string =>
  join(stateDir, 'drill-planted-sets');

/** What a drill reads its set from. Off-site copies would help it out, and the fault would not show. */
export function withPlantedSet(
  deployment: Deployment,
  target: Pick<Site, 'stateDir'>,
  plan: Pick<RecoverPlan, 'drill'>,
): Deployment {
  if (!isPlanted(plan, 'truncated-object')) return deployment;
  const { backup } = deployment;
  return { ...deployment, backup: { ...backup, repository: plantedRepository(target), copies: [] } };
}

/** Nobody can step the clock of one host for one drill: its reading is what steps. Milliseconds. */
export function plantedClockStepMs(plan: Pick<RecoverPlan, 'drill'>): number {
  return isPlanted(plan, 'clock-step') ? 10 * 60_000 : 0;
}

function isPlanted({ drill }: Pick<RecoverPlan, 'drill'>, plant: Plant): boolean {
  return drill?.plant === plant;
}
