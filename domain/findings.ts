import { entriesOf, type Entry, type EntryOf } from './journal.ts';
import { checksOf } from './run-checks.ts';
import type { RunRecord } from './run.ts';
import { goesWith } from './standing-findings.ts';

/**
 * What runs and audits have found, and what became of it. Nothing of it is stored: it follows from the records of runs
 * and the journal, so that neither can say something else than the other. Pure.
 */

export const SEVERITY_NAMES = ['critical', 'high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITY_NAMES)[number];

export const FINDING_STATES = ['open', 'accepted', 'closed'] as const;
export type FindingState = (typeof FINDING_STATES)[number];

export interface Occurrence {
  /** The run, or the import. */
  readonly in: string;
  readonly at: string;
  readonly text: string;
}

export interface Finding {
  readonly id: string;
  readonly check: string;
  readonly severity: Severity;
  readonly state: FindingState;
  /** What was found the last time. */
  readonly text: string;
  readonly occurrences: readonly Occurrence[];
  readonly owner?: string;
  readonly due?: string;
  readonly overdue: boolean;
  readonly acceptance?: EntryOf<'accepted'> & { readonly expired: boolean };
  readonly closure?: EntryOf<'closed'>;
  /** It was closed before, and came again. */
  readonly recurrenceOf?: string;
  /** More than one run has found it, or it came again. */
  readonly recurring: boolean;
}

export interface Found extends Occurrence {
  readonly check: string;
  readonly severity: Severity;
  /** What its id is made of instead of the time. */
  readonly key?: string;
}

/**
 * @param now UTC ISO; due dates and acceptances are held against it.
 * @param missing what no run has found: drills that were not made, and what else the calendar shows
 */
export function findingsOf(
  records: readonly RunRecord[],
  entries: readonly Entry[],
  now: string,
  missing: readonly Found[] = [],
): Finding[] {
  const closures = new Map(entriesOf(entries, 'closed').map((entry) => [entry.finding, entry]));
  const found = [...records.flatMap(ofRun), ...entriesOf(entries, 'imported').flatMap(ofImport), ...missing];
  const byCheck = new Map<string, Found[]>();
  for (const each of found.sort((a, b) => (a.at < b.at ? -1 : 1)))
    byCheck.set(each.check, [...(byCheck.get(each.check) ?? []), each]);
  const findings: Finding[] = [];
  for (const all of byCheck.values()) {
    let before: string | undefined;
    let rest = all;
    while (rest.length > 0) {
      const id = findingId(rest[0]!);
      const closure = closures.get(id);
      const own = closure ? rest.filter(({ at }) => at <= closure.runAt) : rest;
      findings.push(finding(id, own.length > 0 ? own : rest.slice(0, 1), entries, now, closure, before));
      before = id;
      rest = rest.slice(Math.max(1, own.length));
    }
  }
  return findings.sort(byUrgency);
}

function ofRun(record: RunRecord): Found[] {
  const at = endOf(record);
  return checksOf(record)
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ check, severity, text }) => ({ check, severity, text, at, in: record.run }));
}

function ofImport({ findings, at, source, by }: EntryOf<'imported'>): Found[] {
  return findings.map((each) => ({ ...each, at, in: `${source} of ${by}` }));
}

export function endOf({ endedAt, clock }: RunRecord): string {
  return endedAt ?? clock.at(-1)?.at ?? '';
}

function finding(
  id: string,
  occurrences: readonly Found[],
  entries: readonly Entry[],
  now: string,
  closure: EntryOf<'closed'> | undefined,
  recurrenceOf: string | undefined,
): Finding {
  const last = occurrences.at(-1)!;
  const about = <T extends { readonly finding: string }>(all: readonly T[]): T[] =>
    all.filter((entry) => entry.finding === id);
  const assignments = about(entriesOf(entries, 'assigned'));
  const accepted = about(entriesOf(entries, 'accepted')).at(-1);
  const due = assignments.findLast((each) => each.due !== undefined)?.due;
  const severity = assignments.findLast((each) => each.severity !== undefined)?.severity;
  const expired = accepted !== undefined && isOver(accepted.until, now);
  const state = closure ? 'closed' : accepted && !expired ? 'accepted' : 'open';
  const owner = assignments.at(-1)?.owner;
  return {
    ...{ id, check: last.check, state, text: last.text },
    severity: severity ?? last.severity,
    occurrences: occurrences.map((each) => ({ in: each.in, at: each.at, text: each.text })),
    ...(owner === undefined ? {} : { owner }),
    ...(due === undefined ? {} : { due }),
    overdue: state === 'open' && due !== undefined && isOver(due, now),
    ...(accepted ? { acceptance: { ...accepted, expired } } : {}),
    ...(closure ? { closure } : {}),
    ...(recurrenceOf === undefined ? {} : { recurrenceOf }),
    recurring: occurrences.length > 1 || recurrenceOf !== undefined,
  };
}

/** A day is over when the next one begins, UTC. */
const isOver = (day: string, now: string): boolean => now.slice(0, 10) > day.slice(0, 10);

/** The same for the same first occurrence, whoever computes it. */
function findingId({ check, in: where, at, key = at }: Found): string {
  return `F-${fnv1a(`${check}\n${where}\n${key}`)}`;
}

/** FNV-1a of 32 bits, in hexadecimal. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

function byUrgency(a: Finding, b: Finding): number {
  const rank = ({ state, severity }: Finding): number =>
    FINDING_STATES.indexOf(state) * 10 + SEVERITY_NAMES.indexOf(severity);
  return rank(a) - rank(b) || (a.occurrences[0]!.at < b.occurrences[0]!.at ? 1 : -1);
}

/** Why a run does not close a finding; undefined where it does, with what its closing rests on. */
export function closingProblem(
  { check, occurrences }: Finding,
  record: RunRecord,
  entries: readonly Entry[],
): { readonly problem: string } | { readonly basis: EntryOf<'closed'>['basis'] } {
  const last = occurrences.at(-1)!;
  const goes = goesWith(check);
  if (goes !== undefined) return { problem: goes };
  if (endOf(record) <= last.at)
    return { problem: `it ended at ${endOf(record)}, and the finding is of ${last.at} (${last.in})` };
  if (isImported(check)) {
    const later = entriesOf(entries, 'imported').filter(({ at }) => at > last.at);
    if (later.some(({ passed }) => passed.includes(check))) return { basis: 'the check passed' };
    return record.outcome === 'RECOVERED'
      ? { basis: 'asserted' }
      : { problem: `it ended ${record.outcome}; what no run checks is closed by a run that ended RECOVERED` };
  }
  const own = checksOf(record).filter((each) => each.check === check);
  const bad = own.find(({ verdict }) => verdict !== 'pass');
  if (bad)
    return { problem: `there it is ${bad.verdict === 'fail' ? 'the same' : 'not measured'}: ${bad.text}` };
  return own.length > 0
    ? { basis: 'the check passed' }
    : { problem: `it has not performed the check ${check}` };
}

const isImported = (check: string): boolean => /^(doctor|audit)\//.test(check);
