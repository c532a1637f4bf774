import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';

/** Public keys as an auditor has them: `ed25519:BASE64`, or a file with such lines, or one in PEM. */

const KEY = /^ed25519:[A-Za-z0-9+/]{43}=$/;

/** @throws DrError KEY_UNREADABLE */
export async function publicKeys(given: readonly string[]): Promise<string[]> {
  return (await Promise.all(given.map(keysOf))).flat();
}

async function keysOf(given: string): Promise<string[]> {
  if (KEY.test(given)) return [given];
  const refuse = (reason: string): DrError => new DrError('KEY_UNREADABLE', { key: given, reason });
  if (given.startsWith('ed25519:')) throw refuse('what follows ed25519: is not the base64 of 32 bytes');
  const text = await readFile(given, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(error.code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${error.code})`);
  });
  if (text.includes('PRIVATE KEY')) throw refuse('it is a private key; it must not leave its host');
  if (text.includes('BEGIN PUBLIC KEY')) return [pemKey(text, refuse)];
  const lines = text.split('\n').flatMap((line) => /ed25519:[A-Za-z0-9+/]{43}=/.exec(line)?.[0] ?? []);
  if (lines.length === 0) throw refuse('no ed25519:BASE64 stands in it');
  return lines;
}

function pemKey(text: string, refuse: (reason: string) => DrError): string {
  try {
    const key = createPublicKey(text);
    if (key.asymmetricKeyType !== 'ed25519') throw refuse(`it is of the type ${key.asymmetricKeyType}`);
    const der = key.export({ type: 'spki', format: 'der' });
    return `ed25519:${der.subarray(-32).toString('base64')}`;
  } catch (error) {
    if (error instanceof DrError) throw error;
    throw refuse('it cannot be read as PEM');
  }
}
