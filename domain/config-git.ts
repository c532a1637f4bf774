import { z } from 'zod';

/** The part of the schema that says where configuration is kept under version control. */

export const gitRepository = z.strictObject({
  repository: z
    .string()
    .regex(
      /^(\/|(https?|ssh|git|file):\/\/[^\s]+$|[\w.-]+@[\w.-]+:)/,
      'expected an absolute path, or an address such as ssh://git@host/tyk.git',
    )
    .refine(
      (text) => !/\/\/[^/@]*:[^/@]*@/.test(text),
      "expected an address without a password; git's credential helper or an SSH key holds it",
    )
    .describe('A path, made where it does not exist, or the address of a repository that is pushed to.'),
  branch: z
    .string()
    .regex(/^[A-Za-z0-9][\w./-]*$/, 'expected the name of a branch')
    .default('main'),
  author: z
    .string()
    .regex(/^[^<>\n]+<[^<>\s]+>$/, 'expected NAME <ADDRESS>')
    .default('tyk-dr <tyk-dr@localhost>'),
});
