import type { Step } from '../domain/step.ts';
import { PROVE_AND_CLOSE } from './recover-prove.ts';
import { BRING_BACK } from './recover-restore.ts';

/**
 * Recover a whole deployment, or one component, on a target site, in the order of Tyk's disaster-recovery guide
 * ('Complete System Recovery'): infrastructure, Redis, database, Dashboard, Gateways, verification. What the
 * order allows runs at the same time: Redis beside the database. Every refusal comes before the first effect.
 */

export const RECOVER_STEPS = [...BRING_BACK, ...PROVE_AND_CLOSE] as const satisfies readonly Step[];

export type RecoverStepId = (typeof RECOVER_STEPS)[number]['id'];

/** Share of the RTO that each phase may use; the rest is kept for detection and decisions. */
export const PHASE_BUDGETS = {
  infrastructure: 0.1,
  redis: 0.25,
  database: 0.35,
  dashboard: 0.1,
  gateways: 0.15,
  verification: 0.1,
  traffic: 0.05,
  'close-out': 0.5,
} as const;
