import { z } from 'zod';
import { line } from './config-parts.ts';
import { PHASES } from './run.ts';
import type { TabletopItem } from './tabletop.ts';

/** The files that people write for a tabletop: answers of a session on paper, and events of their own. */

const text = z.string().max(2000, 'expected at most 2000 characters');
const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected lower-case letters, digits and dashes, at most 40');
const time = z.iso.datetime({
  offset: true,
  error: 'expected a time with its zone, such as 2026-11-24T09:00:00Z',
});

const answer = z.union(
  [
    text.transform((said) => ({ answer: said })),
    z.strictObject({
      answer: text.default(''),
      by: line.max(80).optional(),
      seconds: z.number().min(0).max(86_400).optional(),
      gap: text.optional(),
    }),
  ],
  'expected a text, or answer, by, seconds and gap',
);

const people = z.union([line.transform((person) => [person]), z.array(line), z.null().transform(() => [])]);

const answersFile = z.strictObject({
  startedAt: time.optional(),
  endedAt: time.optional(),
  present: z.record(id, people).optional(),
  answers: z.record(id, answer),
});

const eventsFile = z.array(
  z.strictObject({
    id,
    phase: z.enum(PHASES),
    text: line,
    ask: line.default('What do you do?'),
    expected: line.default('not written down'),
    hint: line.optional(),
    who: z.array(line).min(1).optional(),
  }),
);

export type TabletopAnswers = z.output<typeof answersFile>;

/** @returns what was read, or what is wrong with it, in one line a problem. */
export function parseAnswers(document: unknown): TabletopAnswers | string {
  const read = answersFile.safeParse(document);
  return read.success ? read.data : problems(read.error);
}

/** @param taken ids that are in use */
export function parseEvents(document: unknown, taken: readonly string[]): TabletopItem[] | string {
  const read = eventsFile.safeParse(document);
  if (!read.success) return problems(read.error);
  const ids = [...taken];
  for (const [index, each] of read.data.entries()) {
    if (ids.includes(each.id)) return `${index}.id: '${each.id}' is taken; expected one of its own`;
    ids.push(each.id);
  }
  return read.data.map(({ hint, who, ...event }) => ({
    ...{ ...event, kind: 'event' as const },
    ...(hint === undefined ? {} : { hint }),
    ...(who === undefined ? {} : { who }),
  }));
}

function problems(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`)
    .join('; ');
}
