import type { AvailabilityFacts } from '../domain/availability.ts';
import { achievedRtoMs, rtoByTier } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import { endOf, type Finding } from '../domain/findings.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { entriesOf, type Entry } from '../domain/journal.ts';
import { rangeText, rpoRange } from '../domain/loss.ts';
import { TIER_DEFAULTS, type Objectives, type Tier } from '../domain/objectives.ts';
import type { Quarter } from '../domain/quarter.ts';
import type { RunRecord } from '../domain/run.ts';
import { availabilitySection } from './availability.ts';
import { drillTable, kindOfRun } from './drill.ts';
import type { Document, Section } from './document.ts';
import { auditSection, drillSections } from './review-drills.ts';
import { occurrenceText, stateText } from './findings.ts';
import { contactRows, type People } from './people.ts';
import { trendSvg } from './trend.ts';
import { undeclaredSection, type LookFacts } from './undeclared.ts';

/** The quarterly review: what was reached, what is open, what was learned, who has signed. Pure. */

export interface ReviewFacts {
  readonly name: string;
  readonly tier: Tier;
  readonly objectives: Objectives;
  readonly people: People;
  readonly quarter: Quarter;
  /** Oldest first, also those of before. */
  readonly records: readonly RunRecord[];
  readonly findings: readonly Finding[];
  readonly entries: readonly Entry[];
  readonly standing: DrillStanding;
  readonly now: string;
  /** Of sign-offs, by entry: whether anybody has shown who it was. */
  readonly identities?: ReadonlyMap<string, string>;
  readonly availability?: AvailabilityFacts;
  /** What workers saw on their hosts. */
  readonly hosts?: LookFacts;
}

export function reviewDocument(facts: ReviewFacts): Document {
  const { name, tier, objectives, quarter, now } = facts;
  return {
    title: `Disaster recovery review of ${name}, ${quarter.name}`,
    lead: [
      `Tier ${tier}: RTO ${formatDuration(objectives.rtoMs)}, RPO ${formatDuration(objectives.rpoMs)}. From ${quarter.from.slice(0, 10)} to before ${quarter.until.slice(0, 10)}, as known at ${now}.`,
    ],
    sections: [
      runs(facts),
      ...trends(facts),
      losses(facts),
      drills(facts),
      ...drillSections(facts),
      open(facts),
      ended(facts),
      lessons(facts),
      changes(facts),
      undeclaredSection(facts.hosts, now),
      availabilitySection(facts.availability),
      auditSection(facts),
      contacts(facts),
      signed(facts),
    ],
    foot: `Made by tyk-dr from the records of runs and the journal in the backup repository. Times are UTC.`,
  };
}

const inside = ({ quarter }: ReviewFacts, at: string): boolean => at >= quarter.from && at < quarter.until;

function runs(facts: ReviewFacts): Section {
  const own = facts.records.filter((record) => inside(facts, endOf(record)));
  return {
    title: `Runs: ${own.length}`,
    text: own.length === 0 ? ['No run in this quarter: nothing was shown to work.'] : [],
    table: {
      head: ['ended', 'run', 'what', 'scenario', 'outcome', 'recovery time', 'RTO'],
      rows: own.map((record) => {
        const achieved = achievedRtoMs(record.clock);
        return [
          ...[
            endOf(record),
            record.run,
            `${kindOfRun(record)}: ${record.component ?? 'everything'}, ${record.from} to ${record.to}`,
          ],
          ...[record.scenario, record.outcome ?? 'no outcome'],
          achieved === undefined ? 'not reached' : formatDuration(achieved),
          achieved !== undefined && achieved <= record.objectives.rtoMs ? 'met' : 'MISSED',
        ];
      }),
    },
  };
}

function drills(facts: ReviewFacts): Section {
  const own = facts.records.filter((record) => record.drill && inside(facts, endOf(record)));
  return {
    title: `Drills done: ${own.length}`,
    text: own.length === 0 ? ['No drill in this quarter.'] : [],
    table: drillTable(own),
  };
}

/** Where a fault was planted, neither times nor losses are those of a recovery. */
const isTelling = ({ drill, runbook }: RunRecord): boolean =>
  drill?.plant === undefined && runbook !== 'replicate';

/** A plot a tier: of the APIs' own tiers where the proofs name them, else of the deployment's. */
function trends({ records, tier, objectives, quarter }: ReviewFacts): Section[] {
  const points = new Map<Tier, { at: string; label: string; ms: number }[]>();
  for (const record of records.filter(
    (each) => endOf(each) < quarter.until && each.component === undefined && isTelling(each),
  )) {
    const own = rtoByTier(record).map((each) => [each.tier, each.rtoMs] as const);
    for (const [of, ms] of own.length > 0 ? own : [[record.tier, achievedRtoMs(record.clock)] as const])
      if (ms !== undefined)
        points.set(of, [...(points.get(of) ?? []), { at: endOf(record), label: record.run, ms }]);
  }
  if (points.size === 0)
    return [{ title: 'Recovery time (RTO)', text: ['No run so far has reached verified traffic.'] }];
  return [...points].map(([of, all]) => {
    const goal = of === tier ? objectives.rtoMs : TIER_DEFAULTS[of].rtoMs;
    const times = all.map(({ ms }) => ms).sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)]!;
    return {
      title: `Recovery time (RTO) of APIs of tier ${of}`,
      text: [
        `${all.length} run${all.length === 1 ? '' : 's'} until the end of the quarter: median ${formatDuration(median)}, longest ${formatDuration(times.at(-1)!)}, objective ${formatDuration(goal)}.`,
      ],
      svg: trendSvg(`Recovery time of tier ${of}`, all, goal),
      table: {
        head: ['run', 'ended', 'recovery time'],
        rows: all.slice(-12).map(({ label, at, ms }) => [label, at, formatDuration(ms)]),
      },
    };
  });
}

/** The most that a run may have lost counts: what is not known is not taken for good. */
function losses({ records, objectives, quarter }: ReviewFacts): Section {
  const title = 'Loss of data (RPO)';
  const own = records.filter((each) => endOf(each) < quarter.until && isTelling(each));
  const measured = own.flatMap((each) => {
    const range = rpoRange(each.losses);
    return range ? [{ at: endOf(each), label: each.run, ms: range.maxMs, range }] : [];
  });
  if (measured.length === 0)
    return { title, text: ['Not measured: no run so far has measured it in every store.'] };
  const { rpoMs } = objectives;
  return {
    title,
    text: [
      `Measured in ${measured.length} of ${own.length} runs until the end of the quarter; objective ${formatDuration(rpoMs)}. Drawn is the most that may have been lost.`,
    ],
    svg: trendSvg('Loss of data', measured, rpoMs),
    table: {
      head: ['run', 'ended', 'lost, at least and at most'],
      rows: measured.slice(-12).map(({ label, at, range }) => [label, at, rangeText(range)]),
    },
  };
}

const HEAD = ['finding', 'severity', 'what', 'state', 'seen'];
const cells = (each: Finding): string[] => [
  ...[each.id, each.severity, `${each.check}: ${each.text}`, stateText(each), occurrenceText(each)],
];

function open({ findings }: ReviewFacts): Section {
  const own = findings.filter(({ state }) => state !== 'closed');
  const overdue = own.filter((each) => each.overdue).length;
  const recurring = own.filter((each) => each.recurring).length;
  const ownerless = own.filter(({ owner, state }) => owner === undefined && state === 'open').length;
  return {
    title: `Open findings: ${own.length}`,
    text: [`${overdue} overdue, ${recurring} recurring, ${ownerless} without an owner.`],
    table: { head: HEAD, rows: own.map(cells) },
  };
}

function ended(facts: ReviewFacts): Section {
  const own = facts.findings.filter(({ closure }) => closure && inside(facts, closure.at));
  return {
    title: `Findings closed in the quarter: ${own.length}`,
    table: { head: HEAD, rows: own.map(cells) },
  };
}

function lessons(facts: ReviewFacts): Section {
  const all = entriesOf(facts.entries, 'lesson');
  const own = all.filter(({ at }) => inside(facts, at));
  const without = facts.records
    .filter((record) => inside(facts, endOf(record)) && record.outcome !== 'REFUSED')
    .filter(({ run }) => !all.some((lesson) => lesson.run === run));
  return {
    title: `Lessons: ${own.length}`,
    text:
      without.length > 0 ? [`No lesson was recorded of ${without.map(({ run }) => run).join(', ')}.`] : [],
    table: {
      head: ['at', 'run', 'lesson', 'owner'],
      rows: own.map(({ at, run, text, owner }) => [at, run, text, owner]),
    },
  };
}

function changes({ entries, tier, objectives }: ReviewFacts): Section {
  const last = entriesOf(entries, 'signed').at(-1);
  const title = 'Objectives changed since the last sign-off';
  if (!last) return { title, text: ['No review has been signed yet.'] };
  const list = [
    ...(last.tier === tier ? [] : [`tier: ${last.tier}, now ${tier}`]),
    ...(['rtoMs', 'rpoMs'] as const).flatMap((key) =>
      last.objectives[key] === objectives[key]
        ? []
        : [
            `${key === 'rtoMs' ? 'RTO' : 'RPO'}: ${formatDuration(last.objectives[key])}, now ${formatDuration(objectives[key])}`,
          ],
    ),
  ];
  const since = `Since ${last.at} (${last.quarter}, ${last.actor})`;
  return { title, text: [list.length === 0 ? `${since}: none.` : `${since}:`], list };
}

function contacts({ people }: ReviewFacts): Section {
  const rows = contactRows(people).map((each) => [...each, '']);
  return {
    title: 'Contacts to confirm',
    text:
      rows.length === 0
        ? ['None is declared: whom would you call?']
        : ['Call or write to each, and note the day.'],
    table: { head: ['level', 'name', 'role, or where', '', '', 'confirmed on'], rows },
  };
}

function signed({ entries, quarter, name, identities }: ReviewFacts): Section {
  const own = entriesOf(entries, 'signed').filter((each) => each.quarter === quarter.name);
  return {
    title: 'Sign-off of stakeholders',
    text:
      own.length === 0
        ? [`Nobody has signed this review: tyk-dr review sign ${name} --quarter ${quarter.name} --role ROLE`]
        : [],
    table: {
      head: ['at', 'who', 'role', 'identity', 'SHA-256 of what was signed'],
      rows: own.map(({ id, at, actor, role, review }) => [
        ...[at, actor, role, identities?.get(id) ?? 'asserted, not proven', review.slice(0, 16)],
      ]),
    },
  };
}
