import { run } from '../adapters/process/run.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { manifestOf } from './open-set.ts';

/** The owner's own commands that make hosts ready. They must be repeatable: a retry runs them again. */

const PROVISION_TIMEOUT_MS = 60 * 60_000;

export function createProvisionActivities(deps: Deps) {
  return { 'provision-target': guarded(deps, 'mutate', provisionTarget) };
}

async function provisionTarget(call: Call): Promise<StepResult> {
  const { target, input, deployment, signal } = call;
  const { manifest } = await manifestOf({ deployment, name: input.plan.deployment, set: input.set });
  const ran: string[] = [];
  const execute = async (what: string, argv: readonly string[] | undefined, version = ''): Promise<void> => {
    if (!argv) return;
    call.progress(what);
    await run(argv, {
      signal,
      timeoutMs: PROVISION_TIMEOUT_MS,
      env: { TYK_DR_SITE: input.plan.to, TYK_DR_VERSION: version },
    });
    ran.push(what);
  };
  await execute('the site', target.provision);
  await execute('redis', target.redis?.install, manifest.redis?.version);
  await execute('database', target.database?.install, manifest.database?.version);
  await execute('dashboard', target.dashboard?.install, manifest.versions['dashboard']);
  for (const gateway of target.gateways)
    await execute(`gateway ${gateway.name}`, gateway.install, manifest.versions['gateway']);
  await execute('pump', target.pump?.install, manifest.versions['pump']);
  return { summary: `provisioned ${ran.join(', ')}` };
}
