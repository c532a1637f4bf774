import { readFile, stat } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import { commandOf, Secret, type SecretRef } from '../../domain/secret.ts';
import { run } from '../process/run.ts';

/** A vault that is asked at the worst moment may be slow; one that hangs must not hold up a recovery for long. */
const COMMAND_TIMEOUT_MS = 30_000;

/**
 * Reads a secret from where its reference points. Called inside activities only, as late as can be.
 *
 * @throws DrError SECRET_MISSING where it is absent, empty, or lies in a file that everybody may read, or where its
 *   command fails.
 */
export async function resolveSecret(
  reference: SecretRef,
  commandTimeoutMs = COMMAND_TIMEOUT_MS,
): Promise<Secret> {
  const value = reference.startsWith('env:')
    ? fromEnvironment(reference)
    : reference.startsWith('command:')
      ? await fromCommand(reference, commandTimeoutMs)
      : await fromFile(reference);
  if (value === '') throw new DrError('SECRET_MISSING', { reference, reason: 'it is empty' });
  return new Secret(value);
}

function fromEnvironment(reference: string): string {
  const value = process.env[reference.slice('env:'.length)];
  if (value === undefined)
    throw new DrError('SECRET_MISSING', { reference, reason: 'the variable is not set' });
  return value;
}

/** What a command wrote before it failed may hold the secret: an error tells how it ended, and nothing else of it. */
async function fromCommand(reference: SecretRef, timeoutMs: number): Promise<string> {
  const failed = (reason: string): DrError => new DrError('SECRET_MISSING', { reference, reason });
  const argv = commandOf(reference);
  if (!argv) throw failed('it is no list of words');
  try {
    return (await run(argv, { timeoutMs })).stdout.trim();
  } catch (error) {
    if (!(error instanceof DrError)) throw failed('the command cannot be run');
    if (error.code === 'TOOL_MISSING') throw failed('the command is not installed on this host');
    const { exit } = error.details;
    throw failed(
      exit === 'a timeout' ? `it did not answer within ${timeoutMs / 1000} s` : `it ended with ${exit}`,
    );
  }
}

async function fromFile(reference: string): Promise<string> {
  const path = reference.slice('file:'.length);
  try {
    const facts = await stat(path);
    // A folder may be open to all; reading it says what it is.
    if (facts.isFile() && (facts.mode & 0o004) !== 0) {
      throw new DrError('SECRET_MISSING', {
        reference,
        reason: 'everybody may read the file; chmod 600 it',
      });
    }
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof DrError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new DrError('SECRET_MISSING', { reference, reason: FILE_REASONS[code] ?? code }, { cause: error });
  }
}

const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the file does not exist',
  EACCES: 'this user may not read the file',
  EISDIR: 'it is a folder',
};
