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
    if (((await stat(path)).mode & 0o004) !== 0) {
      throw new DrError('SECRET_MISSING', {
        reference,
        reason: 'the file is readable by everybody; chmod 600 it',
      });
    }
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof DrError) throw error;
    throw new DrError('SECRET_MISSING', {
      reference,
      reason: (error as NodeJS.ErrnoException).code ?? String(error),
    });
  }
}
