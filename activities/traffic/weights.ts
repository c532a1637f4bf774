import type { ServerState } from '../../adapters/haproxy/runtime.ts';

/** Shares of sites as weights of HAProxy's servers, and back. Pure. */

/** HAProxy's largest. */
const MOST = 256;

/** Percent of new requests that the servers of each site are given; those of sites without any are left out. */
export function sharesOf(
  servers: Readonly<Record<string, readonly string[]>>,
  states: readonly ServerState[],
): Record<string, number> {
  const given = states.filter(({ admin }) => admin === 'ready');
  const all = sum(given.map(({ weight }) => weight));
  const shares = Object.entries(servers).map(([site, names]) => {
    const own = sum(given.filter(({ name }) => names.includes(name)).map(({ weight }) => weight));
    return [site, all === 0 ? 0 : (100 * own) / all] as const;
  });
  return Object.fromEntries(shares.filter(([, share]) => share > 0));
}

type Weighed = Pick<ServerState, 'name' | 'configWeight'>;

/**
 * Among its own servers each site keeps the proportions of its configuration.
 *
 * @param percent above 0 and below 100, of the first group
 * @returns a weight for each server; undefined where a group has none but servers of weight 0
 */
export function sharedWeights(
  own: readonly Weighed[],
  others: readonly Weighed[],
  percent: number,
): Map<string, number> | undefined {
  const exact = [...within(own, percent), ...within(others, 100 - percent)];
  const largest = Math.max(...exact.map(([, part]) => part));
  if (!Number.isFinite(largest)) return undefined;
  return new Map(
    // One that is to get something gets something, however small its share.
    exact.map(([name, part]) => [name, part === 0 ? 0 : Math.max(1, Math.round((part / largest) * MOST))]),
  );
}

function within(servers: readonly Weighed[], percent: number): [string, number][] {
  const all = sum(servers.map(({ configWeight }) => configWeight));
  return servers.map(({ name, configWeight }) => [name, (percent * configWeight) / all]);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
