import type { Deployment } from '../../domain/config.ts';
import { replicates } from '../../domain/strategy.ts';
import { failoverByHand } from '../handbook-standby.ts';
import { escape } from '../html-parts.ts';

/** What an exported runbook says of a standby: its scripts know none. Pure. */

export const NO_FAILOVER =
  'the scripts recover a site from the backup, and lose what is newer than that; none of them fails over to a standby: the page says how that is done by hand';

/** Empty where nothing replicates. */
export function standbySection(name: string, deployment: Deployment): string {
  if (!replicates(deployment.strategy)) return '';
  return `<section><h2>A standby follows: fail over by hand</h2>
<p>Strategy ${escape(deployment.strategy)}. ${escape(NO_FAILOVER[0]!.toUpperCase() + NO_FAILOVER.slice(1))}. Use a script where data were damaged, as a standby has every damage as well, or where the standby is too far behind or gone.</p>
<p>Fence first, promote then: two sites that are written to can never be put together again.</p>
<ol>${failoverByHand(name, deployment)
    .map((line) => `<li>${escape(line)}</li>`)
    .join('')}</ol></section>`;
}
