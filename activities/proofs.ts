import type { Proof } from '../domain/run.ts';
import { DrError } from '../domain/errors.ts';

/** Small makers of proofs. What is expected is always said beside what was found. */

export function proof(name: string, ok: boolean, expected: string | number, actual: string | number): Proof {
  return { name, verdict: ok ? 'pass' : 'fail', expected: String(expected), actual: String(actual) };
}

export function notMeasured(name: string, why: string): Proof {
  return { name, verdict: 'not-measured', expected: 'an answer', actual: `not measured: ${why}` };
}

/** Two sets of ids; names what differs, a few of each. */
export function sameIds(name: string, expected: readonly string[], actual: readonly string[]): Proof {
  const missing = expected.filter((id) => !actual.includes(id));
  const extra = actual.filter((id) => !expected.includes(id));
  const difference = [
    ...(missing.length > 0 ? [`missing ${missing.length}: ${missing.slice(0, 3).join(', ')}`] : []),
    ...(extra.length > 0 ? [`unexpected ${extra.length}: ${extra.slice(0, 3).join(', ')}`] : []),
  ];
  return proof(
    name,
    difference.length === 0,
    `${expected.length} ids`,
    [`${actual.length} ids`, ...difference].join('; '),
  );
}

/** PROOF_FAILED with everything that was looked at: the report shows it though the step has no result. */
export class ProofError extends DrError {
  readonly proofs: readonly Proof[];

  constructor(proofs: readonly Proof[], failed: readonly [Proof, ...Proof[]]) {
    const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
    const [{ name, expected, actual }] = failed;
    super('PROOF_FAILED', { proof: `${name}${more}`, expected, actual });
    this.proofs = proofs;
  }
}

/** @throws ProofError where one failed; it names the first. */
export function requireProofs(proofs: readonly Proof[]): void {
  const [first, ...more] = proofs.filter((candidate) => candidate.verdict === 'fail');
  if (first !== undefined) throw new ProofError(proofs, [first, ...more]);
}
