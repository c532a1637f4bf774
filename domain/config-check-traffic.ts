import { z } from 'zod';
import type { Deployment, TrafficConfig } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import type { DnsTraffic } from './config-traffic.ts';
import { formatDuration } from './duration.ts';
import { absolute, spelledRecords } from './traffic.ts';

/** A `traffic:` section that would leave clients with nothing, or could not be carried out. */

/** The step has ten minutes; the rest is for the answers of the load balancer and of the probes. */
const LONGEST_MS = 480_000;

export function trafficIsSound(deployment: Deployment): ConfigProblem[] {
  const { traffic } = deployment;
  if (!traffic) return [];
  return [
    ...namesSites(deployment),
    ...stepsAreSound(traffic),
    ...(traffic.kind === 'dns' ? recordsAreSound(traffic) : []),
  ].map((problem) => ({ ...problem, path: ['traffic', ...problem.path] }));
}

function namesSites({ traffic, sites, drill }: Deployment): ConfigProblem[] {
  if (traffic?.kind !== 'haproxy' && traffic?.kind !== 'dns') return [];
  const [field, named] =
    traffic.kind === 'haproxy'
      ? (['servers', traffic.servers] as const)
      : (['records', traffic.records] as const);
  const without = Object.keys(sites)
    // A site that is for drills only never gets any.
    .filter((name) => !(name in named) && name !== drill?.site)
    .map((name) => ({
      path: [field],
      message: `none for site ${name}; expected those of every site: switching to it would leave clients with nothing`,
    }));
  const unknown = Object.keys(named)
    .filter((name) => !(name in sites))
    .map((name) => ({
      path: [field, name],
      message: `no site has this name; expected one of ${Object.keys(sites).join(', ')}`,
    }));
  return [...without, ...unknown];
}

function stepsAreSound(traffic: TrafficConfig): ConfigProblem[] {
  const { steps, hold } = traffic;
  const falls = steps.findIndex((percent, index) => index > 0 && percent <= steps[index - 1]!);
  if (falls !== -1)
    return [{ path: ['steps', falls], message: `'${steps[falls]}'; expected more than the one before` }];
  if (steps.at(-1) !== 100)
    return [{ path: ['steps', steps.length - 1], message: `'${steps.at(-1)}'; expected 100 as the last` }];
  if (traffic.kind === 'dns' && steps.length > 1)
    return [{ path: ['steps'], message: 'a DNS record sends all clients or none; expected [100]' }];
  const wholeMs = (steps.length - 1) * hold + ownMs(traffic);
  return wholeMs <= LONGEST_MS
    ? []
    : [
        {
          path: steps.length > 1 ? ['hold'] : [],
          message: `the switch would take ${formatDuration(wholeMs)}; expected at most ${formatDuration(LONGEST_MS)} together`,
        },
      ];
}

function ownMs(traffic: TrafficConfig): number {
  if (traffic.kind === 'haproxy') return traffic.drainTimeout + traffic.upTimeout;
  return traffic.kind === 'command' ? traffic.steps.length * traffic.holdsWithin : 0;
}

/** The longest that a record may be kept, by the protocol, seconds. */
const LONGEST_TTL_S = 2_147_483_647;

function recordsAreSound({ zone, name, type, ttl, records }: DnsTraffic): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const isZone = absolute(name) === absolute(zone);
  if (!isZone && !absolute(name).endsWith(`.${absolute(zone)}`))
    problems.push({ path: ['name'], message: `'${name}'; expected a name in the zone ${zone}` });
  if (type === 'CNAME' && isZone)
    problems.push({
      path: ['type'],
      message: 'CNAME; expected A or AAAA, as a zone itself can have no CNAME',
    });
  if (ttl < 1000 || ttl % 1000 !== 0 || ttl / 1000 > LONGEST_TTL_S)
    problems.push({ path: ['ttl'], message: 'expected whole seconds, at least one' });
  for (const [site, own] of Object.entries(records)) {
    if (type === 'CNAME' && own.length > 1)
      problems.push({
        path: ['records', site],
        message: `${own.length} names; expected one, as a CNAME has`,
      });
    own.forEach((record, index) => {
      if (!FORMS[type].fits(record))
        problems.push({
          path: ['records', site, index],
          message: `'${record}'; expected ${FORMS[type].expected}`,
        });
    });
  }
  // As the name server answers: two spellings of one address are one answer.
  const spelled = Object.entries(records)
    .filter(([, own]) => own.every((record) => FORMS[type].fits(record)))
    .map(([site, own]) => [site, spelledRecords(type, own).join(' ')] as const);
  for (const [site, text] of spelled) {
    const twin = spelled.find(([other, theirs]) => other !== site && theirs === text)?.[0];
    if (twin !== undefined && site > twin)
      problems.push({
        path: ['records', site],
        message: `the same as those of ${twin}; expected others: nobody could tell where clients are sent`,
      });
  }
  return problems;
}

const FORMS = {
  A: { fits: (text: string) => z.ipv4().safeParse(text).success, expected: 'an IPv4 address' },
  AAAA: { fits: (text: string) => z.ipv6().safeParse(text).success, expected: 'an IPv6 address' },
  CNAME: {
    fits: (text: string) => /^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*\.?$/.test(text),
    expected: 'the name of a host',
  },
} as const;
