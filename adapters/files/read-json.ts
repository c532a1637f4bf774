import { readFile, stat } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import { isObject, parseJson } from '../../domain/json.ts';
import type { JsonObject } from '../../domain/tyk-conf.ts';

/** No configuration of Tyk's is nearly as long. */
const LONGEST = 64 << 20;

/** A document of somebody else's. @throws DrError FILE_UNREADABLE; the system's own error where there is no such file */
export async function readJson(path: string): Promise<JsonObject> {
  const { size } = await stat(path);
  const unreadable = (reason: string) => new DrError('FILE_UNREADABLE', { path, reason });
  if (size > LONGEST) throw unreadable(`it has ${size} bytes`);
  let value: unknown;
  try {
    value = parseJson(await readFile(path, 'utf8'));
  } catch (error) {
    // The parser's words would show a piece of the file, which may be a secret.
    throw unreadable(
      error instanceof SyntaxError && /nested/.test(error.message) ? error.message : 'it is no JSON',
    );
  }
  if (!isObject(value)) throw unreadable('it is no object');
  return value;
}

/** One of our own small files, which may not be there. @throws DrError FILE_UNREADABLE */
export async function readJsonIfThere<T>(path: string): Promise<T | undefined> {
  try {
    return (await readJson(path)) as unknown as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
