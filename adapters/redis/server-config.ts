import { readFile } from 'node:fs/promises';

/** Whether a server with this redis.conf starts from appendonlydir. Without a file: the guide's recommendation, yes. */
export async function appendOnlySetting(configFile: string | undefined): Promise<boolean> {
  if (configFile === undefined) return true;
  const text = await readFile(configFile, 'utf8').catch(() => undefined);
  if (text === undefined) return true;
  // The last line counts, as in Redis; its default is no.
  return [...text.matchAll(/^\s*appendonly\s+"?(yes|no)"?\s*$/gm)].at(-1)?.[1] === 'yes';
}
