import { lookup } from 'node:dns/promises';

/** Whether two addresses are those of one server, although one may be written as a name. */

interface Address {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

export async function sameAddress(one: Address, other: Address): Promise<boolean> {
  if (one.port !== other.port || one.host === undefined || other.host === undefined) return false;
  if (one.host === other.host) return true;
  const [mine, theirs] = await Promise.all([addressesOf(one.host), addressesOf(other.host)]);
  return mine.some((address) => theirs.includes(address));
}

/** Itself where it is an address already, or resolves to none. */
async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []);
  return found.length > 0 ? found.map(({ address }) => address) : [host];
}
