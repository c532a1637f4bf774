import { readFile } from 'node:fs/promises';

/** The texts that an exported script is made of: beside the code that puts them together, in the build as in the sources. */

const FOLDER = new URL('../../report/runbook/parts/', import.meta.url);

/** @param names of the files. */
export async function readScriptParts<Name extends string>(
  names: readonly Name[],
): Promise<Record<Name, string>> {
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(name, FOLDER), 'utf8')] as const),
  );
  return Object.fromEntries(texts) as Record<Name, string>;
}
