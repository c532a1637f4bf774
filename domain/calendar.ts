import type { Cron } from './cron.ts';

/**
 * What a cron expression means in a time zone, as Temporal takes it: in an hour that summer time skips nothing is due;
 * in one that comes twice it is due the second time, and west of Greenwich both times. Pure; Unix milliseconds.
 */

const DAY_MS = 86_400_000;
/** Longer ahead nothing of ours looks: a yearly drill on the 29th of February comes within eight years. */
const HORIZON_MS = 8 * 366 * DAY_MS;

/** Every moment after `from` and not after `until`, in order; at most `most`. */
export function occurrences(
  cron: Cron,
  timezone: string,
  fromMs: number,
  untilMs: number,
  most = 10_000,
): number[] {
  const found: number[] = [];
  // A local day may begin and end up to a day beside the UTC one.
  for (let day = midnight(fromMs) - DAY_MS; day <= untilMs + DAY_MS; day += DAY_MS) {
    if (!fits(cron, new Date(day))) continue;
    const own = cron.hours
      .flatMap((hour) =>
        cron.minutes.flatMap((minute) => moments(day + (hour * 60 + minute) * 60_000, timezone)),
      )
      .filter((at) => at > fromMs && at <= untilMs)
      .sort((a, b) => a - b);
    found.push(...own);
    if (found.length >= most) return found.slice(0, most);
  }
  return found;
}

/** The first moment after this one; undefined where there is none within eight years. */
export function nextOccurrence(cron: Cron, timezone: string, afterMs: number): number | undefined {
  return occurrences(cron, timezone, afterMs, afterMs + HORIZON_MS, 1)[0];
}

const midnight = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

/** Whether a day of the calendar, given as its midnight in UTC, is one of the expression. */
function fits({ days, months, weekdays }: Cron, date: Date): boolean {
  return (
    days.includes(date.getUTCDate()) &&
    months.includes(date.getUTCMonth() + 1) &&
    weekdays.includes(date.getUTCDay())
  );
}

/**
 * The moments at which clocks there show this: none, one or two.
 *
 * @param shown the date and time on the clock, as if it were UTC
 */
export function moments(shown: number, timezone: string): number[] {
  const offsets = new Set([offsetAt(shown - DAY_MS, timezone), offsetAt(shown + DAY_MS, timezone)]);
  const all = [...offsets]
    .map((offset) => shown - offset)
    .filter((at) => at + offsetAt(at, timezone) === shown)
    .sort((a, b) => a - b);
  // Of the two Temporal goes on from the one that Go takes: that of the offset which is in force when UTC shows the same.
  const first = all.indexOf(shown - offsetAt(shown, timezone));
  return first > 0 ? all.slice(first) : all;
}

/** The same for an edge of a window, which always has a moment: one that is skipped is that after the gap. */
export function moment(shown: number, timezone: string): number {
  return moments(shown, timezone)[0] ?? shown - offsetAt(shown - DAY_MS, timezone);
}

/** What clocks there show at this moment, as if it were UTC. */
export function shownAt(at: number, timezone: string): number {
  return at + offsetAt(at, timezone);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far clocks there are before UTC at this moment. */
function offsetAt(at: number, timezone: string): number {
  if (timezone === 'UTC') return 0;
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-u-hc-h23', {
      ...{ timeZone: timezone, year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
    formats.set(timezone, format);
  }
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const get = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type)!;
  const shown = Date.UTC(
    get('year'),
    get('month') - 1,
    get('day'),
    get('hour'),
    get('minute'),
    get('second'),
  );
  return shown - Math.floor(at / 1000) * 1000;
}
