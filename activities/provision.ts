import { run } from '../adapters/process/run.ts';
import type { Component, StepResult } from '../domain/run.ts';
import { serviceState } from '../adapters/service/service.ts';
import { checkTools } from './check-tools.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { recoveryManifest } from './open-set.ts';
import { serves, servicesOf } from './site.ts';

/** The owner's own commands that make hosts ready. They must be repeatable: a retry runs them again. */

const PROVISION_TIMEOUT_MS = 60 * 60_000;

export function createProvisionActivities(deps: Deps) {
  return { 'provision-target': guarded(deps, 'mutate', provisionTarget) };
}

async function provisionTarget(call: Call): Promise<StepResult> {
  const { worker, target, input, signal } = call;
  const manifest = await recoveryManifest(call);
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
  const only = input.plan.component;
  if (worker === target.worker && only === undefined) await execute('the site', target.provision);
  const install = async (
    kind: Component,
    what: string,
    component: Installed | undefined,
    version?: string,
  ): Promise<void> => {
    if ((only === undefined || only === kind) && serves(worker, target, component))
      await execute(what, component?.install, version);
  };
  await install('redis', 'redis', target.redis, manifest.redis?.version);
  await install('database', 'database', target.database, manifest.database?.version);
  await install('dashboard', 'dashboard', target.dashboard, manifest.versions['dashboard']);
  for (const gateway of target.gateways)
    await install('gateway', `gateway ${gateway.name}`, gateway, manifest.versions['gateway']);
  await install('pump', 'pump', target.pump, manifest.versions['pump']);
  const { proofs } = await checkTools(call, manifest, true);
  for (const service of servicesOf(input.plan.to, target, { worker, component: only }))
    await serviceState(service);
  return {
    summary: ran.length > 0 ? `provisioned ${ran.join(', ')}` : 'nothing to provision here',
    proofs: ran.length > 0 ? proofs : [],
  };
}

interface Installed {
  readonly install?: readonly string[] | undefined;
  readonly worker?: string | undefined;
}
