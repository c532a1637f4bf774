import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';
import { writeDurably } from '../files/durable.ts';
import { signatureProblem, signBytes, type Signature } from './signing.ts';

/** Signed files of the repository: the signature is written first, so that where there is the file there is both. */

export type Repository = Pick<BackupConfig, 'repository' | 'trustedKeys'>;

/** Undefined where the file or folder is not there. @throws DrError REPOSITORY_UNREADABLE for every other reason. */
export async function unlessMissing<T>(path: string, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof DrError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new DrError('REPOSITORY_UNREADABLE', { path, reason: code ?? message }, { cause: error });
  }
}

/** A signed file of its own kind; `set` names it in errors. */
export async function writeSigned(
  folder: string,
  name: string,
  content: unknown,
  signingKey: Secret,
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`);
  await writeDurably(join(folder, `${name}.sig`), JSON.stringify(signBytes(bytes, signingKey)));
  await writeDurably(join(folder, name), bytes);
}

/** Undefined where there is none. @throws DrError MANIFEST_UNSIGNED, MANIFEST_ALTERED, REPOSITORY_UNREADABLE */
export async function readSigned(
  config: Repository,
  folder: string,
  name: string,
  set: string,
): Promise<Buffer | undefined> {
  const read = (file: string): Promise<Buffer | undefined> =>
    unlessMissing(join(folder, file), readSmall(join(folder, file), set));
  const bytes = await read(name);
  if (!bytes) return undefined;
  const text = (await read(`${name}.sig`))?.toString('utf8');
  if (text === undefined) throw new DrError('MANIFEST_UNSIGNED', { set });
  const signature = parseSignature(text);
  const problem = signature
    ? signatureProblem(bytes, signature, config.trustedKeys)
    : 'the signature file is damaged';
  if (problem !== undefined) throw new DrError('MANIFEST_ALTERED', { set, reason: problem });
  return bytes;
}

/** None of ours is nearly as long: what is would only fill the worker before its signature is found wrong. */
const LONGEST = 64 << 20;

async function readSmall(path: string, set: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > LONGEST) throw new DrError('MANIFEST_ALTERED', { set, reason: `${path} has ${size} bytes` });
  return readFile(path);
}

/** Only as we write it: base64 has spare bits, in which a flipped one would otherwise go unseen. */
function parseSignature(text: string): Signature | undefined {
  try {
    const { key, signature } = z.object({ key: z.string(), signature: z.string() }).parse(JSON.parse(text));
    const exact = Buffer.from(signature, 'base64').toString('base64') === signature;
    return exact && text === JSON.stringify({ key, signature }) ? { key, signature } : undefined;
  } catch {
    return undefined;
  }
}
