import type { FleetMember, FleetRecord } from '../../domain/fleet.ts';
import { fleetForecast } from '../../domain/fleet-forecast.ts';
import { limitsOn } from '../../domain/fleet-turns.ts';

/** What the bench makes of a fleet that has ended. Pure. */

/** Milliseconds from the start to the end of the last one, were everything but the steps' own durations free. */
export function idealMs(record: FleetRecord): number {
  const startMs = Date.parse(record.startedAt);
  const queued = record.members.map((member): FleetMember => {
    const { startedAt: _from, endedAt: _until, ending: _ending, ...asking } = member;
    return { ...asking, state: 'queued' };
  });
  const ends = [...fleetForecast({ ...record, members: queued }, startMs).values()];
  return Math.max(...ends.map(({ expectedAtMs }) => expectedAtMs ?? Number.NaN)) - startMs;
}

/** Pairs in which a less urgent one began while a more urgent one waited that no limit of its own kept back. */
export function outOfOrder({ members, limits }: FleetRecord): string[] {
  const began = members
    .flatMap((member) => (member.startedAt === undefined ? [] : [{ member, at: member.startedAt }]))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return began.flatMap(({ member, at }) => {
    const running = members.filter(
      (other) =>
        other.startedAt !== undefined &&
        other.startedAt <= at &&
        (other.endedAt ?? '~') > at &&
        // Of those that began in the same moment the less urgent ones came last.
        (other.startedAt < at || other.priority < member.priority),
    );
    const isKeptBack = (waiting: FleetMember): boolean =>
      limitsOn(waiting, limits).some(
        ([name, limit]) =>
          running.filter((other) => limitsOn(other, limits).some(([own]) => own === name)).length >= limit,
      );
    return members
      .filter(
        (other) =>
          other.priority < member.priority &&
          other.askedAt <= at &&
          other.startedAt !== undefined &&
          other.startedAt > at &&
          !isKeptBack(other),
      )
      .map((other) => `${member.deployment} before ${other.deployment}`);
  });
}

export interface Repeats {
  /** Executions of a step beyond its first. */
  readonly repeated: number;
  /** Those of which the first was under way, or had just ended, when something was killed. */
  readonly byKills: number;
}

/** A worker that is killed may have done what Temporal has not heard of yet. */
const HEARD_MS = 2_000;

/** @param lines of the worker's log: `UNIX_MS begin|end RUN STEP` */
export function repeatsOf(lines: readonly string[], killsMs: readonly number[]): Repeats {
  const first = new Map<string, { beginMs: number; endMs: number }>();
  let [repeated, byKills] = [0, 0];
  for (const line of lines) {
    const [ms, what, run, step] = line.split(' ') as [string, string, string, string];
    const key = `${run} ${step}`;
    const known = first.get(key);
    if (what === 'end') {
      if (known && known.endMs === Infinity) known.endMs = Number(ms);
      continue;
    }
    if (known === undefined) first.set(key, { beginMs: Number(ms), endMs: Infinity });
    else {
      repeated += 1;
      if (killsMs.some((kill) => known.beginMs <= kill && known.endMs + HEARD_MS >= kill)) byKills += 1;
    }
  }
  return { repeated, byKills };
}
