import { CRITERIA, type Criterion, type PlannedCriterion } from '../domain/criteria.ts';
import type { RunRecord } from '../domain/run.ts';
import { figuresText, type ServiceFigures } from '../domain/service-level.ts';

/** The validation criteria and what they rest on, for people. Pure. */

const SIGN = { pass: '+', fail: 'x', 'not-measured': '?' } as const;
export const VERDICT_WORD = { pass: 'PASS', fail: 'FAIL', 'not-measured': 'NOT MEASURED' } as const;

/** One line a criterion, each with its limit; those that the plan does not touch are named last. */
export function criteriaLines({ criteria = [] }: Pick<RunRecord, 'criteria'>): string[] {
  if (criteria.length === 0) return [];
  return [
    ...criteria.flatMap((each) => [
      `  ${SIGN[each.verdict]} ${each.id.padEnd(14)} ${VERDICT_WORD[each.verdict]}: ${foundText(each)}`,
      `      must be: ${each.limit}`,
    ]),
    ...leftOutLine(criteria),
  ];
}

/** What was found; it already says so where nothing was. */
export function foundText({ found }: Criterion): string {
  return found.replace(/^not measured: /, '');
}

function leftOutLine(criteria: readonly PlannedCriterion[]): string[] {
  const missing = CRITERIA.filter((id) => !criteria.some((each) => each.id === id));
  return missing.length === 0
    ? []
    : [`  - ${missing.join(', ')}: nothing in this plan that it could be held against`];
}

/** As the plan fixes them. */
export function plannedLines(criteria: readonly PlannedCriterion[] = []): string[] {
  return [
    ...criteria.map(({ id, limit }) => `  ${id.padEnd(14)} ${limit}`),
    ...(criteria.length === 0 ? [] : leftOutLine(criteria)),
  ];
}

/** Before, during and after; what nobody has measured says so. */
export function performanceRows({ performance, criteria }: RunRecord): [when: string, figures: string][] {
  if (!performance && !criteria?.some(({ id }) => id === 'performance')) return [];
  const { before, during, after } = performance ?? {};
  return [
    ['before', told(before, 'no witness saw it')],
    ['during', told(during, 'no witness saw it')],
    ['after', told(after, 'no load was sent')],
  ];
}

const told = (figures: ServiceFigures | undefined, why: string): string =>
  figures ? figuresText(figures) : `not measured: ${why}`;
