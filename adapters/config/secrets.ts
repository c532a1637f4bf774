import { readFile, stat } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import { Secret, type SecretRef } from '../../domain/secret.ts';

/**
 * Reads a secret from where its reference points. Called inside activities only, as late as can be.
 *
 * @throws DrError SECRET_MISSING where it is absent, empty, or lies in a file that everybody may read.
 */
export async function resolveSecret(reference: SecretRef): Promise<Secret> {
  const value = reference.startsWith('env:') ? fromEnvironment(reference) : await fromFile(reference);
  if (value === '') throw new DrError('SECRET_MISSING', { reference, reason: 'it is empty' });
  return new Secret(value);
}

function fromEnvironment(reference: string): string {
  const value = process.env[reference.slice('env:'.length)];
  if (value === undefined)
    throw new DrError('SECRET_MISSING', { reference, reason: 'the variable is not set' });
  return value;
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
