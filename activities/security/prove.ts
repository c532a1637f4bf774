import type { Proof, StepResult } from '../../domain/run.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { certificateChecks, clientCertificateChecks } from './certificates.ts';
import { fileChecks } from './files.ts';
import { interfaceChecks } from './interfaces.ts';
import { keyChecks } from './keys.ts';
import { secretChecks } from './secrets.ts';

/**
 * Whether the security controls still hold after a recovery. Each worker looks at the files of its host, the verifier
 * asks as clients and strangers would. It shows; what it finds fails the criterion, not the step: clients are served.
 */

export function createProveSecurityActivities(deps: Deps) {
  return { 'prove-security': guarded(deps, 'mutate', proveSecurity) };
}

async function proveSecurity(call: Call): Promise<StepResult> {
  const verifies = call.input.plan.workers.verifier.includes(call.worker);
  const parts = await Promise.all([
    ...(verifies ? [keyChecks(call), interfaceChecks(call), clientCertificateChecks(call)] : []),
    fileChecks(call),
    secretChecks(call),
    certificateChecks(call),
  ]);
  const proofs = parts.flat();
  return { summary: summaryOf(proofs), proofs };
}

function summaryOf(proofs: readonly Proof[]): string {
  const count = (verdict: Proof['verdict']): number =>
    proofs.filter((each) => each.verdict === verdict).length;
  const failed = proofs.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name);
  return [
    `${count('pass')} pass`,
    ...(failed.length > 0 ? [`${failed.length} FAIL: ${failed.join('; ')}`] : []),
    ...(count('not-measured') > 0 ? [`${count('not-measured')} not measured`] : []),
  ].join(', ');
}
