import { z } from 'zod';
import { durationMs, line, name } from './config-parts.ts';

/** Who does what in a recovery, who stands in, and how often each must have practised it. */

const person = line.max(80, 'expected at most 80 characters');

const role = z.strictObject({
  duty: line.max(200).optional().describe('What whoever has it does, in a sentence.'),
  people: z
    .array(person)
    .min(1, 'expected at least one person')
    .describe(
      'Who has it, the first one first: names as under contacts or approvers, where any are declared there.',
    ),
  deputies: z.array(person).default([]).describe('Who stands in where none of them is there.'),
  trainEvery: durationMs
    .prefault('180d')
    .describe('Whoever has not taken part in a drill in this role for so long has not practised it.'),
  practised: z
    .int()
    .min(1)
    .max(20)
    .default(2)
    .describe('At least so many of its people and deputies must have practised it; fewer are a finding.'),
});

export const roles = z
  .record(name, role)
  .default({})
  .describe('Roles in a recovery: drills record who took part, and the review shows who has not practised.');

export type RolesConfig = z.output<typeof roles>;
