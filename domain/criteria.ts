/**
 * The guide's five validation criteria. What must hold is fixed in the plan before a run starts; what was found is
 * put beside it afterwards. What was not measured never passes. Plain JSON.
 */

export const CRITERIA = ['recovery-time', 'data-loss', 'functionality', 'performance', 'security'] as const;
export type CriterionId = (typeof CRITERIA)[number];

/** As stamped into the plan. */
export interface PlannedCriterion {
  readonly id: CriterionId;
  /** What must hold, for people: `within 15 min`. */
  readonly limit: string;
  /** The figures and names behind it, as JSON. */
  readonly limits: Readonly<Record<string, number | readonly string[]>>;
}

export interface Criterion extends PlannedCriterion {
  readonly verdict: 'pass' | 'fail' | 'not-measured';
  readonly found: string;
}
