import type { Proof } from '../domain/run.ts';
import type { SecretRef } from '../domain/secret.ts';
import { methodOf } from './database/choose.ts';
import type { Call } from './guard.ts';
import { proof } from './proofs.ts';
import { serves } from './site.ts';
import { driverOf } from './traffic/choose.ts';

/** What would be missed only after the source was fenced: secrets and what leads the clients. Looked at before anything. */

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
  const { traffic } = deployment;
  const switches = input.plan.steps.includes('switch-traffic') && input.plan.workers.traffic.includes(worker);
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
    ...(switches && traffic?.kind === 'dns' ? [traffic.key.secret] : []),
    ...(verifies ? [...probes.map((probe) => probe.key), analytics?.key] : []),
  ].filter((reference) => reference !== undefined);
}

/** Only where this worker is the one that will switch. @throws DrError TRAFFIC_FAILED, TOOL_MISSING */
export async function checkTraffic({ worker, deployment, input, signal, secret }: Call): Promise<Proof[]> {
  const switches = input.plan.steps.includes('switch-traffic') && input.plan.workers.traffic.includes(worker);
  if (!switches) return [];
  const driver = driverOf(deployment, { run: input.run, signal, secret });
  return driver ? driver.check(input.plan.to) : [];
}
