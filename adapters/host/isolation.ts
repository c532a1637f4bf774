import { AsyncLocalStorage } from 'node:async_hooks';
import { DrError } from '../../domain/errors.ts';
import { sameHost } from '../../domain/same-host.ts';

/**
 * What a drill must not touch, while it works. Every adapter that opens a connection or runs a site's command asks
 * here, so that a live address is refused however it came into the drill: by a configuration, a set, or a mistake.
 */

export interface OutOfBounds {
  readonly run: string;
  /** The sites that may not be addressed, and where they answer. */
  readonly sites: readonly string[];
  readonly addresses: readonly { readonly host: string; readonly port: number; readonly name: string }[];
  /** Sockets of what leads clients to the live site. */
  readonly sockets: readonly string[];
}

const bounds = new AsyncLocalStorage<OutOfBounds>();

/** Runs some work, and all that it starts, out of whose reach the live sites are. */
export function isolated<T>(outOfBounds: OutOfBounds, work: () => Promise<T>): Promise<T> {
  return bounds.run(outOfBounds, work);
}

/** @throws DrError DRILL_TOUCHES_LIVE */
export function requireWithinDrill(host: string, port: number): void {
  const out = bounds.getStore();
  const live = out?.addresses.find(
    (address) => address.port === port && sameHost(address.host) === sameHost(host),
  );
  if (out && live) throw refused(out.run, `${live.name} at ${host}:${port}`);
}

/** @throws DrError DRILL_TOUCHES_LIVE */
export function requireSiteWithinDrill(site: string, what: string): void {
  const out = bounds.getStore();
  if (out?.sites.includes(site)) throw refused(out.run, `${what} of ${site}`);
}

/** @throws DrError DRILL_TOUCHES_LIVE */
export function requireSocketWithinDrill(socket: string): void {
  const out = bounds.getStore();
  if (out?.sockets.includes(socket)) throw refused(out.run, `the socket ${socket}`);
}

function refused(run: string, what: string): DrError {
  return new DrError('DRILL_TOUCHES_LIVE', { run, what });
}
