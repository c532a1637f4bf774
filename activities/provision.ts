import { run } from '../adapters/process/run.ts';
import type { StepResult } from '../domain/run.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { manifestOf } from './open-set.ts';
import { serves } from './site.ts';

/** The owner's own commands that make hosts ready. They must be repeatable: a retry runs them again. */

const PROVISION_TIMEOUT_MS = 60 * 60_000;

export function createProvisionActivities(deps: Deps) {
  return { 'provision-target': guarded(deps, 'mutate', provisionTarget) };
}

async function provisionTarget(call: Call): Promise<StepResult> {
  const { worker, target, input, deployment, signal } = call;
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
  if (worker === target.worker) await execute('the site', target.provision);
  const install = (what: string, component: Installed | undefined, version?: string): Promise<void> =>
    execute(what, serves(worker, target, component) ? component?.install : undefined, version);
  await install('redis', target.redis, manifest.redis?.version);
  await install('database', target.database, manifest.database?.version);
  await install('dashboard', target.dashboard, manifest.versions['dashboard']);
  for (const gateway of target.gateways)
    await install(`gateway ${gateway.name}`, gateway, manifest.versions['gateway']);
  await install('pump', target.pump, manifest.versions['pump']);
  return { summary: ran.length > 0 ? `provisioned ${ran.join(', ')}` : 'nothing to provision here' };
}

interface Installed {
  readonly install?: readonly string[] | undefined;
  readonly worker?: string | undefined;
}
