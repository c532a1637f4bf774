import type { PartView, Seen, View } from '../../domain/monitor.ts';

/** What observers may say of a site with one Gateway, a Redis and a Dashboard. */

export interface Sight {
  readonly outside?: 'up' | 'down' | 'unseen';
  readonly gateway?: Seen;
  readonly redis?: Seen;
  readonly dashboard?: Seen;
  readonly sighted?: boolean;
  readonly lock?: string;
  /** It lives on the hosts of the site. */
  readonly own?: boolean;
}

export function viewOf(observer: string, sight: Sight = {}): View {
  const { outside = 'up', gateway = 'up', redis = 'up', dashboard = 'up', sighted = true, lock, own } = sight;
  const part = (component: PartView['component'], name: string, seen: Seen): PartView => ({
    ...{ component, name, seen },
    ...(own ? { own } : {}),
    ...(seen === 'down' ? { why: `${name} does not answer` } : {}),
  });
  return {
    ...{ observer, at: '2026-01-01T00:00:00.000Z', sighted },
    outside: { seen: outside, ...(outside === 'down' ? { why: '/hello is not answered' } : {}) },
    parts: [
      part('redis', 'redis', redis),
      part('dashboard', 'dashboard', dashboard),
      part('gateway', 'gateway gw1', gateway),
    ],
    ...(lock === undefined ? {} : { lock }),
  };
}

/** Clients are served by nobody, and nothing of the site answers. */
export const DEAD: Sight = { outside: 'down', gateway: 'down', redis: 'down', dashboard: 'down' };
