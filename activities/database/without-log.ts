import type { StepResult } from '../../domain/run.ts';
import type { Call } from '../guard.ts';

/** What all methods have in common that keep nothing but sets. */

export function protect({ deployment, input }: Call): Promise<StepResult> {
  const { plan } = input;
  return Promise.resolve({
    summary: `a dump keeps no log: nothing is protected before the next set; tyk-dr backup ${plan.deployment} makes one in ${deployment.backup.repository}`,
  });
}
