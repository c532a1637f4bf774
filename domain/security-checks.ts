/**
 * What is looked at for 'security controls maintained', by the names that the proofs of `prove-security` begin with.
 * Fixed in the plan before the run: what was not looked at then shows as not measured.
 */

export const SECURITY_CHECKS = [
  'wrong keys are refused',
  'revoked keys stay refused',
  'expired sessions are dead',
  'admin interfaces demand their secrets',
  'admin interfaces are closed to clients',
  'certificates are valid and the right ones',
  'secrets are not readable by others',
  'keys are hashed',
  'no default secrets',
] as const;
export type SecurityCheck = (typeof SECURITY_CHECKS)[number];

/** In a drill nobody sends clients to its site: there is no way in from outside that could be open. */
export const NOT_IN_A_DRILL: readonly SecurityCheck[] = ['admin interfaces are closed to clients'];
