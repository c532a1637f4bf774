import { achievedRtoMs } from './clock.ts';
import type { Criterion, CriterionId, PlannedCriterion } from './criteria.ts';
import { formatDuration } from './duration.ts';
import { rangeText, rpoRange, rpoVerdict } from './loss.ts';
import type { Proof, RunRecord } from './run.ts';
import { sloResults, type Slos } from './service-level.ts';

/**
 * What a run has come to, criterion by criterion, beside the limits that were fixed before it started. Pure. What was
 * not measured never passes.
 */

type Verdict = Criterion['verdict'];
type Found = Pick<Criterion, 'verdict' | 'found'>;
type Limits = PlannedCriterion['limits'];

export function judgeCriteria(record: RunRecord, planned: readonly PlannedCriterion[]): Criterion[] {
  return planned.map((criterion) => ({ ...criterion, ...JUDGES[criterion.id](record, criterion.limits) }));
}

const JUDGES: Readonly<Record<CriterionId, (record: RunRecord, limits: Limits) => Found>> = {
  'recovery-time': recoveryTime,
  'data-loss': dataLoss,
  functionality,
  performance,
  security,
};

function recoveryTime(record: RunRecord, limits: Limits): Found {
  const achieved = achievedRtoMs(record.clock);
  if (achieved !== undefined)
    return {
      verdict: achieved <= numberOf(limits, 'rtoMs') ? 'pass' : 'fail',
      found: formatDuration(achieved),
    };
  // Somebody chose not to look: it may have been in time.
  const unseen = record.steps.some(({ id, state }) => id === 'prove-traffic' && state === 'skipped');
  return unseen
    ? { verdict: 'not-measured', found: 'not measured: nobody has looked at the traffic' }
    : { verdict: 'fail', found: 'not reached' };
}

function dataLoss({ losses }: RunRecord, limits: Limits): Found {
  const verdict = rpoVerdict(losses, numberOf(limits, 'rpoMs'));
  const range = rpoRange(losses);
  const why = (losses ?? []).flatMap(({ notMeasured }) => notMeasured ?? [])[0];
  return {
    verdict: verdict === 'met' ? 'pass' : verdict === 'missed' ? 'fail' : 'not-measured',
    found: range
      ? `${rangeText(range)}${verdict === 'unproven' ? ': it may be more than the limit' : ''}`
      : `not measured${why === undefined ? '' : `: ${why}`}`,
  };
}

/** Single proofs that could not be made are told apart, and prove nothing; a step that was not run is not measured. */
function functionality({ steps, proofs }: RunRecord, limits: Limits): Found {
  const planned = namesOf(limits, 'steps');
  const own = proofs.filter(({ step }) => planned.includes(step));
  const failed = own.filter(({ verdict }) => verdict === 'fail');
  const open = planned.filter((id) => steps.find((step) => step.id === id)?.state !== 'done');
  const passed = own.filter(({ verdict }) => verdict === 'pass').length;
  const unmeasured = own.length - passed - failed.length;
  const aside = unmeasured === 0 ? '' : `; ${unmeasured} could not be made`;
  if (failed.length > 0) return { verdict: 'fail', found: listed(failed.map(proofText)) };
  if (open.length > 0) return { verdict: 'not-measured', found: `not measured: ${open.join(', ')}` };
  return planned.length > 0 && passed > 0
    ? { verdict: 'pass', found: `${passed} proofs of ${planned.length} steps pass${aside}` }
    : { verdict: 'not-measured', found: `not measured: no proof was made${aside}` };
}

function performance({ performance: measured, steps }: RunRecord, limits: Limits): Found {
  const slos = limits as Slos;
  const row = steps.find(({ id }) => id === 'measure-performance');
  if (!measured?.after)
    return { verdict: 'not-measured', found: `not measured: ${row?.summary ?? 'the load was not sent'}` };
  const results = sloResults(measured.after, slos);
  const missed = results.filter(({ met }) => !met);
  if (results.length === 0)
    return { verdict: 'not-measured', found: 'not measured: no SLO is stated that it could be held against' };
  const shown = missed.length > 0 ? missed : results;
  return {
    verdict: missed.length > 0 ? 'fail' : 'pass',
    found: shown.map(({ name, actual }) => `${name} ${actual}`).join(', '),
  };
}

/** Check by check; one without any proof was not looked at. */
function security({ proofs }: RunRecord, limits: Limits): Found {
  const checks = namesOf(limits, 'checks');
  const own = proofs.filter(({ step }) => step === 'prove-security');
  const looked = checks.map((check) => {
    const found = own.filter(({ name }) => name === check || name.startsWith(`${check}: `));
    return { check, found, verdict: worst(found) };
  });
  const bad = own.filter(({ verdict }) => verdict === 'fail');
  const open = looked.filter(({ verdict }) => verdict === 'not-measured');
  if (bad.length > 0) return { verdict: 'fail', found: listed(bad.map(proofText)) };
  if (open.length > 0)
    return {
      verdict: 'not-measured',
      found: listed(
        open.map(({ check, found }) => {
          const why = found.find(({ verdict }) => verdict === 'not-measured')?.actual;
          return `${check}: ${why ?? 'not measured'}`;
        }),
      ),
    };
  return checks.length > 0
    ? { verdict: 'pass', found: `all ${checks.length} checks pass` }
    : { verdict: 'not-measured', found: 'not measured: no check is planned' };
}

function worst(found: readonly Proof[]): Verdict {
  if (found.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return found.length > 0 && found.every(({ verdict }) => verdict === 'pass') ? 'pass' : 'not-measured';
}

const MOST_SHOWN = 3;

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_SHOWN;
  return `${texts.slice(0, MOST_SHOWN).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

const proofText = ({ name, expected, actual }: Proof): string =>
  `${name}: expected ${expected}, found ${actual}`;

function numberOf(limits: Limits, key: string): number {
  const value = limits[key];
  return typeof value === 'number' ? value : Number.NaN;
}

function namesOf(limits: Limits, key: string): readonly string[] {
  const value = limits[key];
  return typeof value === 'object' ? value : [];
}

/**
 * What a plain `RECOVERED` must not hide: each criterion that failed, and those that must be measured and were not. What
 * of performance could not be measured is said, and changes no outcome.
 */
export function criteriaExceptions({ criteria = [], losses, steps }: RunRecord): string[] {
  return criteria.flatMap(({ id, verdict, limit, found }) => {
    if (verdict === 'pass' || (verdict === 'not-measured' && id === 'performance')) return [];
    // `measure-loss` has said it already, store by store.
    if (id === 'data-loss' && losses !== undefined && losses.length > 0) return [];
    // So has whoever skipped the step.
    if (verdict === 'not-measured' && isSkipped(steps, id)) return [];
    return [`criterion ${id}: ${verdict === 'fail' ? `expected ${limit}, found ${found}` : found}`];
  });
}

const STEP_OF: Readonly<Partial<Record<CriterionId, RegExp>>> = {
  'recovery-time': /^prove-traffic$/,
  'data-loss': /^measure-loss$/,
  functionality: /^prove-(?!security)/,
  security: /^prove-security$/,
};

function isSkipped(steps: RunRecord['steps'], id: CriterionId): boolean {
  return steps.some(
    (step) => STEP_OF[id]?.test(step.id) && (step.state === 'skipped' || step.state === 'by-hand'),
  );
}
