import type { Deployment } from './config.ts';
import { NOTICE_EVENTS, SEVERITIES, type Notice, type NoticeRoute, type NoticeTarget } from './notice.ts';

/** Who is to be told of a notice, by what a deployment declares. Pure. */

type Declared = Pick<Deployment, 'notify' | 'contacts'>;

/**
 * Level 1 goes where the routes lead and, where it must be acknowledged, to the contacts of level 1; a higher level
 * goes to its contacts, and as `not-acknowledged` where the routes lead that.
 */
export function routeNotice({ notify, contacts }: Declared, notice: Notice, level: number): NoticeRoute {
  if (!notify) return { targets: [], people: [] };
  const { channels, routes, escalateAfter } = notify;
  const asked = mustBeAcknowledged(notice);
  const people = asked || level > 1 ? contacts.filter((contact) => contact.level === level) : [];
  const named = [
    ...routes.filter((route) => fits(route, notice)).flatMap((route) => route.channels),
    ...people.flatMap((contact) => contact.channels),
  ];
  const mail = Object.entries(channels).find(([, { kind }]) => kind === 'email');
  const to = people.flatMap(({ email }) => email ?? []);
  const told = new Set(named);
  const closing = Object.entries(channels)
    .filter(([name, { kind }]) => kind === 'pagerduty' && !told.has(name) && (notice.closes ?? []).length > 0)
    .map(([channel]): NoticeTarget => ({ channel, closesOnly: true }));
  const higher = contacts.map((contact) => contact.level).filter((each) => each > level);
  return {
    targets: [
      ...[...told].map((channel): NoticeTarget => ({ channel })),
      ...(mail && to.length > 0 ? [{ channel: mail[0], to }] : []),
      ...closing,
    ],
    people: people.map(({ name, role }) => `${name} (${role})`),
    ...((asked || level > 1) && higher.length > 0
      ? { next: { level: Math.min(...higher), afterMs: escalateAfter } }
      : {}),
  };
}

/**
 * Of a notice that concerns many deployments: each place once, however many of them lead there. Deployments that share
 * a section have the same channels; the first that has one gives its name.
 */
export function routeForAll(
  declared: ReadonlyMap<string, Pick<Deployment, 'notify' | 'contacts'>>,
  notice: Notice,
): NoticeRoute {
  const places = new Map<string, NoticeTarget>();
  for (const [deployment, own] of declared)
    for (const target of routeNotice(own, notice, 1).targets) {
      const place = JSON.stringify([own.notify!.channels[target.channel], target.to ?? []]);
      if (!places.has(place)) places.set(place, { ...target, deployment });
    }
  return { targets: [...places.values()], people: [] };
}

/** Of an outcome only a bad one. */
function mustBeAcknowledged({ event, severity }: Notice): boolean {
  return NOTICE_EVENTS[event].acknowledge && (event !== 'outcome' || severity === 'critical');
}

function fits(
  route: NonNullable<Declared['notify']>['routes'][number],
  { event, severity }: Notice,
): boolean {
  const grave = SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(route.severity);
  return grave && (route.events === undefined || (route.events as readonly string[]).includes(event));
}
