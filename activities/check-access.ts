import { serverStates } from '../adapters/haproxy/runtime.ts';
import type { Proof } from '../domain/run.ts';
import type { SecretRef } from '../domain/secret.ts';
import { methodOf } from './database/choose.ts';
import type { Call } from './guard.ts';
import { proof } from './proofs.ts';
import { serves } from './site.ts';
import { serversOf } from './traffic.ts';

/** What would be missed only after the source was fenced: secrets and the load balancer. Looked at before anything. */

/** Every secret that this worker's steps will ask for. @throws DrError SECRET_MISSING */
export async function checkSecrets(call: Call): Promise<Proof[]> {
  const references = [...new Set(secretsOf(call))];
  for (const reference of references) await call.secret(reference);
  return [proof('every secret can be read', true, references.length, references.length)];
}

function secretsOf(call: Call): SecretRef[] {
  const { worker, target, deployment, input } = call;
  const { backup, secrets, probes, analytics } = deployment;
  const own = <T extends { worker?: string | undefined }>(component: T | undefined): T | undefined =>
    component && serves(worker, target, component) ? component : undefined;
  const database = own(target.database);
  const verifies = input.plan.workers.verifier.includes(worker);
  return [
    backup.identity,
    own(target.redis)?.password,
    own(target.redis)?.sentinel?.password,
    ...(database ? methodOf(database).secrets(call) : []),
    target.dashboard?.accessKey,
    secrets.gateway,
    secrets.node,
    secrets.admin,
    secrets.certificate,
    ...(verifies ? [...probes.map((probe) => probe.key), analytics?.key] : []),
  ].filter((reference) => reference !== undefined);
}

/** Only where this worker is the one that will switch. @throws DrError TRAFFIC_FAILED */
export async function checkTraffic({ worker, deployment, input }: Call): Promise<Proof[]> {
  const { traffic } = deployment;
  const switches = input.plan.steps.includes('switch-traffic') && input.plan.workers.traffic.includes(worker);
  if (!traffic || !switches) return [];
  const states = await serverStates(traffic.socket, traffic.backend);
  const wanted = serversOf(traffic, input.plan.to, states).join(', ');
  return [proof('the load balancer knows the servers of the target', true, wanted, wanted)];
}
