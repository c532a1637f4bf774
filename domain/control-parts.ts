import { achievedRtoMs } from './clock.ts';
import { leaksVerdict, plantVerdict, untouchedVerdict } from './drill-checks.ts';
import type { DrillRecord } from './drill.ts';
import { rpoRange } from './loss.ts';
import type { RunRecord } from './run.ts';

/**
 * The parts of an evidence pack that answer somebody's requirement: where each stands, and for one run whether it is
 * there. Pure.
 */

/** What is looked at: the record of the run, and the members of the pack. */
export interface PackFacts {
  readonly record: RunRecord;
  has(member: string): boolean;
}

export interface Part {
  readonly what: string;
  /** Members of the pack, and the place in them. */
  readonly where: string;
  /** Why this pack does not hold it; undefined where it does. */
  readonly lacks: (facts: PackFacts) => string | undefined;
}

const unless = (there: boolean, why: string): string | undefined => (there ? undefined : why);
const lossMissing = ({ losses }: RunRecord): string | undefined =>
  unless(rpoRange(losses) !== undefined, 'the loss of data was not measured in every store');
/** Why a drill does not show it; a recovery shows none of it. */
const ofDrill = (
  { record: { drill } }: PackFacts,
  lacks: (drill: DrillRecord) => string | undefined,
): string | undefined => (drill ? lacks(drill) : 'the run was a recovery, not a drill');

export const PARTS = {
  recoveryTime: {
    what: 'the RTO, the clock and the recovery time that was reached',
    where: 'record.json (objectives, clock); report.txt',
    lacks: ({ record }) =>
      unless(achievedRtoMs(record.clock) !== undefined, 'the run never verified traffic or its component'),
  },
  dataLoss: {
    what: 'the RPO, and the loss of data that was measured, store by store',
    where: 'record.json; report.txt',
    lacks: ({ record }) => lossMissing(record),
  },
  scenario: {
    what: 'the scenario, the reason and who declared it',
    where: 'record.json (scenario, reason, actor)',
    lacks: () => undefined,
  },
  plan: {
    what: 'the plan that was run, bound to the record by its SHA-256',
    where: 'plan.json; record.json (planDigest)',
    lacks: ({ has }) => unless(has('plan.json'), 'the plan was not kept'),
  },
  steps: {
    what: 'every step with its times, calls, errors and result',
    where: 'record.json (steps); logs/run.log',
    lacks: ({ record }) => unless(record.outcome !== 'REFUSED', 'the run was refused: nothing was done'),
  },
  history: {
    what: 'the history of the workflow engine, event by event',
    where: 'history.json',
    lacks: ({ has }) => unless(has('history.json'), 'the server no longer had it'),
  },
  restoredData: {
    what: 'proofs that data and service came back',
    where: 'record.json (proofs); report.html',
    lacks: ({ record }) =>
      unless(
        record.proofs.some(({ verdict, step }) => verdict === 'pass' && step.startsWith('prove-')),
        'nothing was proven on the target',
      ),
  },
  notMeasured: {
    what: 'every criterion measured',
    where: 'record.json (criteria, proofs)',
    lacks: ({ record }) => {
      const names = record.proofs.filter(({ verdict }) => verdict === 'not-measured').map(({ name }) => name);
      const open = (record.criteria ?? []).filter(
        ({ id, verdict }) => verdict === 'not-measured' && id !== 'data-loss',
      );
      const all = [
        ...(lossMissing(record) === undefined ? [] : ['data loss (RPO)']),
        ...open.map(({ id }) => id),
        ...names,
      ];
      return unless(all.length === 0, `not measured: ${all.join(', ')}`);
    },
  },
  backupIntegrity: {
    what: 'the signed manifest of the set that was used, and the signed proof that it was restored before',
    where: 'sets/',
    lacks: ({ record, has }) =>
      record.set === undefined
        ? 'the run used no set'
        : unless(
            has(`sets/${record.set.set}/manifest.json`) && has(`sets/${record.set.set}/verified.json`),
            has(`sets/${record.set.set}/manifest.json`)
              ? 'the set was never verified by a restore'
              : 'the manifest of the set is not in the repository any more',
          ),
  },
  switchover: {
    what: 'a switch of the clients to another site, verified there',
    where: 'record.json (from, to, steps switch-traffic and prove-traffic)',
    lacks: ({ record }) =>
      unless(
        record.from !== record.to &&
          record.steps.some(({ id, state }) => id === 'switch-traffic' && state === 'done'),
        'clients were not moved to another site',
      ),
  },
  clients: {
    what: 'the outage as a client outside saw it',
    where: 'record.json (witness)',
    lacks: ({ record }) => unless(record.witness !== undefined, 'no witness was configured'),
  },
  criteria: {
    what: 'the validation criteria, fixed before the run, each with its limit, its verdict and what was found',
    where: 'plan.json (plan.criteria); record.json (criteria)',
    lacks: ({ record }) =>
      unless((record.criteria ?? []).length > 0, 'the plan of the run had no criteria stamped into it'),
  },
  performance: {
    what: 'performance before, during and after, the last under load and against the SLOs',
    where: 'record.json (performance, criteria)',
    lacks: ({ record }) =>
      unless(record.performance?.after !== undefined, 'performance under load was not measured'),
  },
  security: {
    what: 'that security controls hold after the recovery, check by check',
    where: 'record.json (proofs of prove-security, criteria)',
    lacks: ({ record }) => {
      const security = record.criteria?.find(({ id }) => id === 'security');
      return unless(
        security !== undefined && security.verdict !== 'not-measured',
        `security controls were not measured${security ? `: ${security.found}` : ''}`,
      );
    },
  },
  approvals: {
    what: 'approvals before dangerous steps, signed by their people',
    where: 'approvals/',
    lacks: ({ record: { approvals = [] } }) =>
      approvals.length === 0
        ? 'no approval was asked for'
        : unless(
            approvals.every(({ identity }) => identity === 'proven'),
            'at least one approval is a typed name, not a signature',
          ),
  },
  decisions: {
    what: 'decisions of people, overrides and exceptions, with who and why',
    where: 'record.json (decisions, exceptions, waits)',
    lacks: () => undefined,
  },
  communication: {
    what: 'who was told and has acknowledged',
    where: 'record.json (acknowledgements)',
    lacks: ({ record }) =>
      unless((record.acknowledgements ?? []).length > 0, 'nobody has acknowledged a notice'),
  },
  configuration: {
    what: 'the configuration of the deployment, without secrets, bound to the run by its digest',
    where: 'config.json; record.json (configDigest)',
    lacks: ({ has }) =>
      unless(has('config.json'), 'the configuration has changed since, and that of the run was not kept'),
  },
  exercise: {
    what: 'the type of the drill, who was to take part and who did',
    where: 'record.json (drill); report.txt',
    lacks: (facts) =>
      ofDrill(facts, ({ present = [] }) => unless(present.length > 0, 'who took part was not recorded')),
  },
  untouched: {
    what: 'that the drill left production alone and left nothing behind',
    where: 'record.json (drill: untouched, leaks); report.txt',
    lacks: (facts) =>
      ofDrill(facts, ({ untouched, leaks }) =>
        unless(
          untouchedVerdict(untouched) === 'pass' && leaksVerdict(leaks) === 'pass',
          'it was not shown, look by look',
        ),
      ),
  },
  negativeControl: {
    what: 'that the drill can fail: a planted fault, and that it was noticed',
    where: 'record.json (drill: plant, plantNoticed)',
    lacks: (facts) =>
      ofDrill(facts, (drill) => {
        const verdict = plantVerdict(drill);
        return verdict === undefined
          ? 'no fault was planted in this drill'
          : unless(verdict === 'pass', 'the planted fault was not noticed');
      }),
  },
  findings: {
    what: 'the findings of the run, with owner, due date and what became of them',
    where: 'findings.json',
    lacks: ({ has }) => unless(has('findings.json'), 'findings were not kept'),
  },
  lessons: {
    what: 'lessons that were drawn, with an owner',
    where: 'lessons.json',
    lacks: ({ has }) => unless(has('lessons.json'), 'no lesson was recorded: tyk-dr lesson add RUN'),
  },
} as const satisfies Record<string, Part>;

export type PartId = keyof typeof PARTS;
