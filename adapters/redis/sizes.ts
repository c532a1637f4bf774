import type { Client } from './client.ts';

/**
 * Roughly what each value takes in memory, in bytes: an estimate from a few elements, which costs the server next to
 * nothing. Undefined where the server or the user's rights do not tell.
 */
export async function sizesOf(client: Client, keys: readonly Buffer[]): Promise<number[] | undefined> {
  try {
    const usages = await Promise.all(keys.map((key) => client.call('MEMORY', 'USAGE', key, 'SAMPLES', 1)));
    return usages.map((usage) => Number(usage ?? 0));
  } catch {
    return undefined;
  }
}
