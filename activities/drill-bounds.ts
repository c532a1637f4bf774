import type { OutOfBounds } from '../adapters/host/isolation.ts';
import { addressesOf, addressOf } from '../domain/addresses.ts';
import { sharedBy } from '../domain/config-check-drill.ts';
import { NEVER_IN_A_DRILL } from '../domain/drill.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StepInput } from '../domain/plan.ts';

/**
 * What a step of a drill must keep away from, by this worker's own configuration: every site but the one for drills,
 * and what leads clients. Whatever stands in a task, no other site is ever the target.
 *
 * @throws DrError DRILL_NOT_CONFIGURED, DRILL_TOUCHES_LIVE
 */
export function drillBounds(deployment: Deployment, { run, plan }: StepInput, step: string): OutOfBounds {
  const { drill, sites, traffic } = deployment;
  if (drill?.site === undefined) throw new DrError('DRILL_NOT_CONFIGURED', { deployment: plan.deployment });
  if (plan.to !== drill.site)
    throw new DrError('DRILL_TOUCHES_LIVE', {
      run,
      what: `the site ${plan.to}; drills of ${plan.deployment} go to ${drill.site}`,
    });
  // Its undo is no step of any table.
  if (NEVER_IN_A_DRILL.includes(step) || step === 'undo-traffic')
    throw new DrError('DRILL_TOUCHES_LIVE', { run, what: `${step} is no step of a drill` });
  const others = Object.entries(sites).filter(([name]) => name !== drill.site);
  for (const [name, other] of others) {
    const [shared] = sharedBy(sites[drill.site]!, other);
    if (shared !== undefined)
      throw new DrError('DRILL_TOUCHES_LIVE', { run, what: `${shared} is also that of ${name}` });
  }
  return {
    run,
    sites: others.map(([name]) => name),
    addresses: [
      ...others.flatMap(([site, other]) =>
        addressesOf(other).map(({ name, host, port }) => ({ name: `${name} of ${site}`, host, port })),
      ),
      ...(traffic ? [addressOf('traffic', traffic.url, 'the address of the clients')] : []),
      ...(traffic?.kind === 'dns'
        ? [{ name: 'the name server of the clients’ address', host: traffic.server, port: traffic.port }]
        : []),
    ],
    sockets: traffic?.kind === 'haproxy' ? [traffic.socket] : [],
  };
}
