import { placed, placeEntries, placePaths } from '../adapters/files/place-entries.ts';
import { startService } from '../adapters/service/service.ts';
import { call as http } from '../adapters/tyk/http.ts';
import { leftovers, type JsonObject } from '../domain/tyk-conf.ts';
import { DrError } from '../domain/errors.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { awaitUntil } from './await-until.ts';
import { certificateProofs } from './certificates.ts';
import { certificateSecret, readConf } from './conf-file.ts';
import { takeFromGit } from './config-ref.ts';
import { sourceAddresses, targetEndpoints } from './config-endpoints.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { storeOf } from './open-set.ts';
import { notMeasured, proof, requireProofs } from './proofs.ts';
import { gatewaysOn, serves, serviceOf } from './site.ts';
import {
  dashboardTree,
  gatewayTree,
  pumpTree,
  rewriteTo,
  unpackInto,
  type TreeRestore,
} from './staged-tree.ts';

/** Configuration of Dashboard, Gateways and Pump: restored, rewritten to the target, proven to name only it. */

export function createConfigActivities(deps: Deps) {
  return {
    'restore-dashboard-config': guarded(deps, 'mutate', restoreDashboardConfig),
    'restore-gateway-config': guarded(deps, 'mutate', restoreGatewayConfig),
    'restore-pump-config': guarded(deps, 'mutate', restorePumpConfig),
    'start-pump': guarded(deps, 'mutate', startPump),
  };
}

async function restoreDashboardConfig(call: Call): Promise<StepResult> {
  return restoreTree(call, dashboardTree(call.source, call.target.dashboard!));
}

async function restoreGatewayConfig(call: Call): Promise<StepResult> {
  const results: StepResult[] = [];
  for (const gateway of gatewaysOn(call.worker, call.target))
    results.push(await restoreTree(call, gatewayTree(call.deployment, call.input.plan.from, gateway)));
  const consistent = await oneSetOfSecrets(call);
  requireProofs(consistent);
  return {
    summary: results.map((result) => result.summary).join('; '),
    proofs: [...results.flatMap((result) => result.proofs ?? []), ...consistent],
    observed: results.every((result) => result.observed),
  };
}

async function restorePumpConfig(call: Call): Promise<StepResult> {
  return restoreTree(call, pumpTree(call.source, call.target.pump!));
}

/** The Pump comes with its configuration in one step: nothing stands between the two. A standby has it already. */
async function startPump(call: Call): Promise<StepResult> {
  const { target, input, signal } = call;
  const pump = target.pump!;
  const restored: StepResult = input.plan.failover
    ? { summary: 'its configuration is there' }
    : await restorePumpConfig(call);
  const started = await startService(serviceOf(input.plan.to, target, 'pump'), signal);
  if (pump.url !== undefined) {
    const url = new URL('/health', pump.url).href;
    await awaitUntil(async () => ((await http(url)).status === 200 ? true : undefined), {
      timeoutMs: 60_000,
      signal,
      late: () =>
        new DrError('SERVICE_FAILED', {
          service: 'pump',
          site: input.plan.to,
          action: 'answer /health',
          reason: url,
        }),
    });
  }
  return { ...restored, summary: `${restored.summary}; ${started ? 'started' : 'ran already'}` };
}

async function restoreTree(call: Call, restore: TreeRestore): Promise<StepResult> {
  const { input } = call;
  const { tree } = restore;
  const paths = placePaths(tree.root, input.run);
  const key = { run: input.run, step: `${input.step}/${restore.name}`, set: input.set ?? '' };
  const endpoints = await targetEndpoints(call, tree.root, restore.listen);
  let fromGit: string | undefined;
  if (!(await placed(paths, key))) {
    await unpackInto(paths.stagingDir, storeOf(call, 'config'), restore);
    fromGit = await takeFromGit(call, restore.object, paths.stagingDir);
    await rewriteTo(endpoints, paths.stagingDir, restore);
    await placeEntries(paths, key, [tree.config, ...tree.include]);
  }
  const conf = await readConf(tree);
  const left = input.plan.inPlace ? [] : leftovers(conf, sourceAddresses(call));
  const proofs = [
    proof(
      `${restore.name}: ${tree.config} names only the target`,
      left.length === 0,
      'no address of the source',
      left.join(', ') || 'none',
    ),
    ...(restore.listen === undefined
      ? []
      : await certificateProofs(restore.name, tree.root, conf, restore.listen)),
  ];
  requireProofs(proofs);
  const files = [tree.config, ...tree.include].join(', ');
  return { summary: `${restore.name}: ${files}${fromGit === undefined ? '' : ` ${fromGit}`}`, proofs };
}

/** Read from the files that the programs will read, not from what we meant to write. */
async function oneSetOfSecrets(call: Call): Promise<Proof[]> {
  const { worker, target } = call;
  const { dashboard } = target;
  if (!dashboard) return [];
  const main = serves(worker, target, dashboard) ? await readConf(dashboard) : await declaredSecrets(call);
  const api = (main['tyk_api_config'] ?? {}) as JsonObject;
  const proofs: Proof[] = [];
  for (const gateway of gatewaysOn(worker, target)) {
    const conf = await readConf(gateway);
    const same: [string, unknown, unknown][] = [
      ['secret and tyk_api_config.Secret', conf['secret'], api['Secret']],
      ['node_secret and shared_node_secret', conf['node_secret'], main['shared_node_secret']],
      ['security.private_certificate_encoding_secret', certificateSecret(conf), certificateSecret(main)],
    ];
    if (main['hash_keys'] === NOT_HERE)
      proofs.push(notMeasured(`${gateway.name}: hash_keys`, 'the Dashboard is on another host'));
    else same.push(['hash_keys', conf['hash_keys'] ?? false, main['hash_keys'] ?? false]);
    for (const [field, left, right] of same) {
      // Never the values: they are secrets.
      const found = left === right ? 'equal' : 'different';
      proofs.push(
        proof(`${gateway.name}: ${field} agree with the Dashboard`, left === right, 'equal', found),
      );
    }
  }
  return proofs;
}

const NOT_HERE = 'not on this host';

/** A Dashboard on another host was given exactly these; its own restore has proven that. */
async function declaredSecrets({ deployment, secret }: Call): Promise<JsonObject> {
  const { gateway, node, certificate } = deployment.secrets;
  return {
    hash_keys: NOT_HERE,
    shared_node_secret: (await secret(node)).reveal(),
    tyk_api_config: { Secret: (await secret(gateway)).reveal() },
    ...(certificate === undefined
      ? {}
      : { security: { private_certificate_encoding_secret: (await secret(certificate)).reveal() } }),
  };
}
