import { moment, shownAt } from './calendar.ts';

/** Times in which no drill begins by itself. Pure; moments are Unix milliseconds. */

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export type Blackout =
  | {
      /** A day, or a day and a time, on the clocks of the calendar's time zone. */
      readonly from: string;
      /** A day is part of it. */
      readonly to: string;
      readonly reason: string;
    }
  | {
      readonly weekly: readonly Weekday[];
      /** `08:00` of each of these days. */
      readonly start: string;
      /** `18:00`; at or before the start it is that of the next day. */
      readonly end: string;
      readonly reason: string;
    };

const DAY_MS = 86_400_000;
/** Windows that follow one another without an end are no blackout but an end of all drills. */
const LONGEST_MS = 400 * DAY_MS;

export interface Dark {
  readonly until: number;
  readonly reason: string;
}

/** The window that a moment lies in, with those that follow it at once; undefined where it lies in none. */
export function blackoutAt(blackouts: readonly Blackout[], timezone: string, at: number): Dark | undefined {
  let found: Dark | undefined;
  for (let now = at; now - at < LONGEST_MS; now = found.until) {
    const next = blackouts
      .flatMap((each) => windowAt(each, timezone, now) ?? [])
      .reduce<Dark | undefined>((a, b) => (a && a.until >= b.until ? a : b), undefined);
    if (!next) return found;
    found = { until: next.until, reason: found?.reason ?? next.reason };
  }
  return found;
}

/** Whether there is no moment at which a drill could begin. */
export function isEndless(blackouts: readonly Blackout[], timezone: string, at: number): boolean {
  const found = blackoutAt(blackouts, timezone, at);
  return found !== undefined && found.until - at >= LONGEST_MS;
}

function windowAt(blackout: Blackout, timezone: string, at: number): Dark | undefined {
  const { reason } = blackout;
  const within = (from: number, until: number): Dark | undefined =>
    at >= from && at < until ? { until, reason } : undefined;
  if ('from' in blackout) {
    const [from, until] = [moment(shownOf(blackout.from), timezone), moment(endOfDay(blackout.to), timezone)];
    return within(from, until);
  }
  const today = Math.floor(shownAt(at, timezone) / DAY_MS) * DAY_MS;
  const [start, end] = [clockMs(blackout.start), clockMs(blackout.end)];
  // One that began yesterday may still last.
  return [today - DAY_MS, today].reduce<Dark | undefined>((found, day) => {
    if (found || !blackout.weekly.includes(WEEKDAYS[new Date(day).getUTCDay()]!)) return found;
    const until = day + (end <= start ? end + DAY_MS : end);
    return within(moment(day + start, timezone), moment(until, timezone));
  }, undefined);
}

/** A day begins at midnight. */
export const shownOf = (text: string): number =>
  Date.parse(text.includes('T') ? `${text}:00Z` : `${text}T00:00:00Z`);

/** One that is given as a day ends with it. */
const endOfDay = (text: string): number => shownOf(text) + (text.includes('T') ? 0 : DAY_MS);

function clockMs(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  return (hours * 60 + minutes) * 60_000;
}
