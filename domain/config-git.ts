import { z } from 'zod';
import { line } from './config-parts.ts';

/** The part of the schema that says where configuration is kept under version control. */

export const gitRepository = z.strictObject({
  repository: line
    .regex(
      /^(\/|(https?|ssh|git|file):\/\/[^\s]+$|[\w.-]+@[\w.-]+:)/,
      'expected an absolute path, or an address such as ssh://git@host/tyk.git',
    )
    .refine(
      (text) => !/\/\/[^/@]*:[^/@]*@/.test(text),
      "expected an address without a password; git's credential helper or an SSH key holds it",
    )
    .describe('A path, made where it does not exist, or the address of a repository that is pushed to.'),
  branch: line
    .regex(/^(?!.*(\.\.|\/\/|\.lock$|[/.]$))[A-Za-z0-9][\w./-]*$/, 'expected the name of a branch')
    .default('main'),
  author: line.regex(/^[^<>\n]+<[^<>\s]+>$/, 'expected NAME <ADDRESS>').default('tyk-dr <tyk-dr@localhost>'),
});
