/**
 * Cron expressions with five fields (minute, hour, day of the month, month, day of the week), as Temporal takes them.
 * We need to know what they mean for one reason: the longest time between two runs counts against the RPO.
 */

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of the week', min: 0, max: 7, names: DAYS },
];

export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  readonly weekdays: readonly number[];
}

/** @returns a phrase that says what is wrong with the text, where it is no such expression. */
export function parseCron(text: string): Cron | string {
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words.length !== FIELDS.length) return 'expected five fields, such as 0 3 * * *';
  const sets: number[][] = [];
  for (const [index, field] of FIELDS.entries()) {
    const values = valuesOf(words[index]!, field);
    if (values === undefined)
      return `expected ${field.name} from ${field.min} to ${field.max}, *, lists, ranges or steps, not '${words[index]}'`;
    sets.push(values);
  }
  const [minutes, hours, days, months, weekdays] = sets as [number[], number[], number[], number[], number[]];
  // Programs disagree on whether both must match or one of them.
  if (words[2] !== '*' && words[4] !== '*')
    return 'expected a day of the month or a day of the week, not both';
  return { minutes, hours, days, months, weekdays: [...new Set(weekdays.map((day) => day % 7))] };
}

function valuesOf(word: string, field: Field): number[] | undefined {
  const values = new Set<number>();
  for (const part of word.split(',')) {
    const [range, stepText] = part.split('/') as [string, string | undefined];
    const step = stepText === undefined ? 1 : Number(stepText);
    const bounds = boundsOf(range, field, stepText !== undefined);
    if (!bounds || !Number.isInteger(step) || step < 1) return undefined;
    for (let value = bounds[0]; value <= bounds[1]; value += step) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

function boundsOf(range: string, field: Field, stepped: boolean): [number, number] | undefined {
  if (range === '*') return [field.min, field.max];
  const ends = range.split('-').map((text) => numberOf(text, field));
  const [from, to = stepped ? field.max : from] = ends;
  if (from === undefined || to === undefined || ends.length > 2 || from > to) return undefined;
  return [from, to];
}

function numberOf(text: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(text) ?? -1;
  const value = named >= 0 ? named + (min === 1 ? 1 : 0) : /^\d+$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Every leap day and every weekday of each date within the working life of a schedule that means anything. */
const YEARS = 8;

/** The longest time between two runs; Infinity where it never runs. Summer time may add an hour, once a year. */
export function longestGapMs({ minutes, hours, days, months, weekdays }: Cron): number {
  const times = hours.flatMap((hour) => minutes.map((minute) => (hour * 60 + minute) * MINUTE_MS));
  let longest = 0;
  let last: number | undefined;
  const start = Date.UTC(2024, 0, 1);
  for (let day = start; day < start + YEARS * 366 * DAY_MS; day += DAY_MS) {
    const date = new Date(day);
    const matches =
      days.includes(date.getUTCDate()) &&
      months.includes(date.getUTCMonth() + 1) &&
      weekdays.includes(date.getUTCDay());
    if (!matches) continue;
    for (const time of times) {
      if (last !== undefined) longest = Math.max(longest, day + time - last);
      last = day + time;
    }
  }
  return longest === 0 ? Infinity : longest;
}
