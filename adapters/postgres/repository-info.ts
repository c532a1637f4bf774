import { createDecipheriv, createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';

/**
 * backup.info and archive.info hold the keys to everything below them, change with every backup, and so have no digest
 * in a manifest of ours. pgBackRest keeps each twice, with a checksum of its own inside: this reads both, without
 * pgBackRest, as any worker may check a set.
 */

const INFO_FILES = ['backup/STANZA/backup.info', 'archive/STANZA/archive.info'];

/**
 * @param root the folder of the generation.
 * @returns what is wrong with the one copy of a file whose other copy is whole: a restore works, and yet it is damage.
 * @throws DrError OBJECT_DAMAGED where neither copy can be used.
 */
export async function checkInfoFiles(
  root: string,
  stanza: string,
  passphrase: Secret,
  set: string,
): Promise<string[]> {
  const doubts: string[] = [];
  for (const pattern of INFO_FILES) {
    const file = pattern.replace('STANZA', stanza);
    const problems: string[] = [];
    for (const copy of [file, `${file}.copy`]) {
      const problem = await infoProblem(join(root, copy), passphrase);
      if (problem !== undefined) problems.push(`${copy} ${problem}`);
    }
    if (problems.length === 2)
      throw new DrError('OBJECT_DAMAGED', { object: file, set, reason: `${problems.join('; ')}` });
    doubts.push(...problems);
  }
  return doubts;
}

/** In words that follow the name of the file; undefined where it is whole. */
async function infoProblem(path: string, passphrase: Secret): Promise<string | undefined> {
  const sealed = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new DrError(
      'REPOSITORY_UNREADABLE',
      { path, reason: error.code ?? error.message },
      { cause: error },
    );
  });
  if (!sealed) return 'is missing';
  const text = decrypt(sealed, passphrase);
  const expected = /^backrest-checksum="([0-9a-f]{40})"$/m.exec(text ?? '')?.[1];
  if (text === undefined || expected === undefined) return 'does not decrypt';
  return checksum(text) === expected ? undefined : 'does not have its own checksum';
}

const MAGIC = 'Salted__';
const [KEY_BYTES, IV_BYTES, SALT_END] = [32, 16, 16];

/** The format of `openssl enc -aes-256-cbc -md sha1`, which is what `repo1-cipher-type=aes-256-cbc` writes. */
function decrypt(sealed: Buffer, passphrase: Secret): string | undefined {
  if (sealed.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return undefined;
  const salt = sealed.subarray(MAGIC.length, SALT_END);
  let derived = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (derived.length < KEY_BYTES + IV_BYTES) {
    last = createHash('sha1').update(last).update(passphrase.reveal()).update(salt).digest();
    derived = Buffer.concat([derived, last]);
  }
  const iv = derived.subarray(KEY_BYTES, KEY_BYTES + IV_BYTES);
  try {
    const decipher = createDecipheriv('aes-256-cbc', derived.subarray(0, KEY_BYTES), iv);
    return Buffer.concat([decipher.update(sealed.subarray(SALT_END)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

/** SHA-1 over the sections as one line of JSON, without the checksum itself. */
function checksum(text: string): string {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of text.split('\n').filter(Boolean)) {
    const name = /^\[(.*)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      current = sections.get(name) ?? [];
      sections.set(name, current);
      continue;
    }
    const at = line.includes('={') ? line.indexOf('={') : line.indexOf('=');
    const key = line.slice(0, at);
    if (key !== 'backrest-checksum') current.push(`"${key}":${line.slice(at + 1)}`);
  }
  const json = [...sections].map(([name, entries]) => `"${name}":{${entries.join(',')}}`);
  return createHash('sha1')
    .update(`{${json.join(',')}}`)
    .digest('hex');
}
