import type { Proof } from '../../domain/run.ts';
import type { SecurityCheck } from '../../domain/security-checks.ts';

/** One proof of a check: its name begins with that of the check, by which the criterion finds it. */
export function ofCheck(check: SecurityCheck, what: string, rest: Omit<Proof, 'name'>): Proof {
  return { name: what === '' ? check : `${check}: ${what}`, ...rest };
}

export function shown(
  check: SecurityCheck,
  what: string,
  ok: boolean,
  expected: string,
  actual: string | number,
): Proof {
  return ofCheck(check, what, { verdict: ok ? 'pass' : 'fail', expected, actual: String(actual) });
}

export function unknown(check: SecurityCheck, what: string, why: string): Proof {
  return ofCheck(check, what, {
    verdict: 'not-measured',
    expected: 'an answer',
    actual: `not measured: ${why}`,
  });
}
