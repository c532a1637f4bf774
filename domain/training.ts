import { samePerson } from './approvals.ts';
import { entriesOf, type Entry } from './journal.ts';
import { practisedIn, type RolePeople } from './participants.ts';
import type { RunRecord } from './run.ts';
import { wasMade } from './drill-calendar.ts';

/** Who has practised which role, and when it lapses. Pure. */

export interface TrainedRole extends RolePeople {
  /** Milliseconds. */
  readonly trainEvery: number;
  readonly practised: number;
}

export interface Training {
  readonly role: string;
  /** How many have practised within the interval, and how many must have. */
  readonly practised: number;
  readonly needed: number;
  readonly trainEveryMs: number;
  readonly people: readonly TrainedPerson[];
  /** Since when fewer than needed have: undefined where enough have, or where it was never otherwise. */
  readonly shortSince?: string;
}

export interface TrainedPerson {
  readonly person: string;
  readonly deputy: boolean;
  /** The last drill in which they had the role. */
  readonly lastAt?: string;
  readonly run?: string;
  readonly isPractised: boolean;
}

export function trainingOf(
  roles: Readonly<Record<string, TrainedRole>>,
  records: readonly RunRecord[],
  entries: readonly Entry[],
  now: string,
): Training[] {
  const practice = practiceOf(records, entries);
  return Object.entries(roles).map(([role, { people, deputies, trainEvery, practised: needed }]) => {
    const all = [
      ...people.map((person) => ({ person, deputy: false })),
      ...deputies.map((person) => ({ person, deputy: true })),
    ].map((each) => ({
      ...each,
      times: practice.filter((one) => one.role === role && samePerson(one.person, each.person)),
    }));
    const lapse = (at: string): string => new Date(Date.parse(at) + trainEvery).toISOString();
    const own = all.map(({ person, deputy, times }): TrainedPerson => {
      const last = times.at(-1);
      return {
        ...{ person, deputy, isPractised: last !== undefined && lapse(last.at) > now },
        ...(last ? { lastAt: last.at, run: last.run } : {}),
      };
    });
    const practised = own.filter(({ isPractised }) => isPractised).length;
    // The lapse by which the number fell below what is needed: that many of the later lapses were still to come.
    const lapses = own.flatMap(({ lastAt }) => (lastAt === undefined ? [] : [lapse(lastAt)])).sort();
    const shortSince = practised < needed ? lapses.at(-needed) : undefined;
    return {
      ...{ role, practised, needed, trainEveryMs: trainEvery, people: own },
      ...(shortSince === undefined ? {} : { shortSince }),
    };
  });
}

interface Practice {
  readonly role: string;
  readonly person: string;
  readonly run: string;
  readonly at: string;
}

/** Oldest first. */
function practiceOf(records: readonly RunRecord[], entries: readonly Entry[]): Practice[] {
  const attended = new Map(entriesOf(entries, 'attended').map((entry) => [entry.run, entry.participants]));
  return records
    .flatMap((record) => {
      const { drill, run, endedAt } = record;
      if (!drill || !wasMade(record) || endedAt === undefined) return [];
      return (attended.get(run) ?? practisedIn(drill)).map(({ role, person }) => ({
        ...{ role, person, run, at: endedAt },
      }));
    })
    .sort((a, b) => (a.at < b.at ? -1 : 1));
}

/** Whoever of a role has not practised it in its interval, in words. */
export function notPractised({ people }: Training): string[] {
  return people
    .filter(({ isPractised }) => !isPractised)
    .map(
      ({ person, lastAt }) => `${person} (${lastAt === undefined ? 'never' : `last ${lastAt.slice(0, 10)}`})`,
    );
}
