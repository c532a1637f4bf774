import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { proof } from './proofs.ts';
import { writersOf } from './unfence.ts';

/** Rebuilding a site in place fences nobody: whoever else serves must be found before anything is touched. */

export function createCheckOtherSitesActivities(deps: Deps) {
  return { 'check-other-sites': guarded(deps, 'probe', checkOtherSites) };
}

async function checkOtherSites({ worker, deployment, input }: Call): Promise<StepResult> {
  const looked: string[] = [];
  for (const [name, site] of Object.entries(deployment.sites)) {
    if (name === input.plan.to || name === input.plan.from) continue;
    const running = await writersOf(worker, name, site);
    if (running.length > 0)
      throw new DrError('OTHER_SITE_SERVES', { other: name, services: running.join(', ') });
    looked.push(name);
  }
  const seen =
    looked.length > 0 ? `${looked.join(', ')} does not serve` : 'fenced, or nothing here that writes';
  return { summary: seen, proofs: [proof('no other site serves', true, 'stopped or fenced', seen)] };
}
