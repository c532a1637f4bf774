import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { sharedWeights, sharesOf } from '../../activities/traffic/weights.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import type { ServerState } from '../../adapters/haproxy/runtime.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { Deployment } from '../../domain/config.ts';

const DNS = {
  ...{ kind: 'dns', server: 'ns1.example.org', zone: 'example.org', name: 'api.example.org', type: 'A' },
  ...{ ttl: '30s', records: { london: ['192.0.2.1'], paris: ['192.0.2.2'] }, url: 'https://api.example.org' },
  key: { name: 'tyk-dr', secret: 'file:/etc/tyk-dr/secrets/tsig' },
};
const HAPROXY = {
  ...{ kind: 'haproxy', socket: '/run/haproxy.sock', backend: 'tyk', url: 'https://api.example.org' },
  servers: { london: ['l1'], paris: ['p1'] },
};
const COMMAND = { kind: 'command', switch: ['s'], status: ['t'], url: 'https://api.example.org' };

function deploymentWith(traffic: object): Deployment {
  const config = parse(EXAMPLE, { merge: true }) as { deployments: { payments: object } };
  Object.assign(config.deployments.payments, { traffic });
  return parseConfig(stringify(config), 'tyk-dr.yaml').deployments['payments']!;
}

describe('traffic: in the configuration', () => {
  test.each([
    ['haproxy', HAPROXY, { steps: [100], hold: 5000, drainTimeout: 10_000, maxErrorPercent: 5 }],
    ['dns', DNS, { port: 53, ttl: 30_000, key: { algorithm: 'hmac-sha256' } }],
    ['command', COMMAND, { steps: [100], hold: 5000 }],
  ])('%s has its defaults', (_kind, traffic, expected) => {
    expect(deploymentWith(traffic).traffic).toMatchObject(expected);
  });

  test.each([
    [
      'shares that fall',
      { ...HAPROXY, steps: [50, 10, 100] },
      "steps.1: '10'; expected more than the one before",
    ],
    [
      'shares that end before all',
      { ...HAPROXY, steps: [10, 50] },
      "steps.1: '50'; expected 100 as the last",
    ],
    [
      'a share of a name',
      { ...DNS, steps: [10, 100] },
      'a DNS record sends all clients or none; expected [100]',
    ],
    [
      'shares that are held for longer than the step lasts',
      { ...HAPROXY, steps: [10, 100], hold: '1h' },
      'traffic.hold: the switch would take 1 h 01 min; expected at most 8 min 00 s together',
    ],
    ['a drain without end', { ...HAPROXY, drainTimeout: '1h' }, 'the switch would take 1 h 01 min'],
    [
      'a site without records',
      { ...DNS, records: { london: ['192.0.2.1'] } },
      'records: none for site paris; expected those of every site',
    ],
    [
      'a site that does not exist',
      { ...DNS, records: { ...DNS.records, rome: ['192.0.2.9'] } },
      'records.rome: no site has this name',
    ],
    [
      'two sites that cannot be told apart',
      { ...DNS, records: { london: ['192.0.2.1', '192.0.2.2'], paris: ['192.0.2.2', '192.0.2.1'] } },
      'the same as those of london',
    ],
    [
      'two sites with the same address, spelled differently',
      {
        ...{ ...DNS, type: 'AAAA' },
        records: { london: ['2001:db8::1'], paris: ['2001:DB8:0:0:0:0:0:1'] },
      },
      'the same as those of london',
    ],
    [
      'two sites with the same name, with and without its dot and capitals',
      { ...DNS, type: 'CNAME', records: { london: ['edge.example.net'], paris: ['Edge.Example.net.'] } },
      'the same as those of london',
    ],
    [
      'two sites with the same address, once and twice',
      { ...DNS, records: { london: ['192.0.2.1'], paris: ['192.0.2.1', '192.0.2.1'] } },
      'the same as those of london',
    ],
    [
      'a name outside the zone',
      { ...DNS, name: 'api.example.com' },
      'expected a name in the zone example.org',
    ],
    ['a name that ends like the zone', { ...DNS, name: 'api.badexample.org' }, 'expected a name in the zone'],
    [
      'an address of the other kind',
      { ...DNS, type: 'AAAA' },
      "records.london.0: '192.0.2.1'; expected an IPv6 address",
    ],
    [
      'a CNAME with two names',
      { ...DNS, type: 'CNAME', records: { london: ['a.example', 'b.example'], paris: ['c.example'] } },
      '2 names; expected one, as a CNAME has',
    ],
    [
      'a CNAME of the zone itself',
      { ...DNS, type: 'CNAME', name: 'example.org' },
      'a zone itself can have no CNAME',
    ],
    [
      'a line that would be another command',
      { ...DNS, records: { ...DNS.records, paris: ['192.0.2.2\nsend'] } },
      'plain text',
    ],
    ['half a second', { ...DNS, ttl: '500ms' }, 'expected whole seconds, at least one'],
    [
      'a secret instead of a reference',
      { ...DNS, key: { name: 'k', secret: 'c2VjcmV0LXZhbHVl' } },
      'the value is not shown',
    ],
    ['a kind that does not exist', { ...COMMAND, kind: 'f5' }, 'traffic.kind'],
  ])('%s is refused', (_what, traffic, expected) => {
    let message = '';
    try {
      deploymentWith(traffic);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(expected);
    expect(message).not.toContain('c2VjcmV0');
  });

  test('workers agree about where clients are led, and need not about how this is reached', () => {
    const digest = (traffic: object): string => configDigest(deploymentWith(traffic));
    expect(digest({ ...DNS, server: 'ns2.example.org', port: 5353, ttl: '60s' })).toBe(digest(DNS));
    expect(digest({ ...DNS, records: { ...DNS.records, paris: ['192.0.2.3'] } })).not.toBe(digest(DNS));
    expect(digest({ ...HAPROXY, socket: '/x', steps: [10, 100] })).toBe(digest(HAPROXY));
    expect(digest({ ...COMMAND, switch: ['other'] })).toBe(digest(COMMAND));
    expect(digest(COMMAND)).not.toBe(digest(DNS));
  });
});

describe('weights', () => {
  const server = (name: string, weight: number, more: Partial<ServerState> = {}): ServerState => ({
    ...{ name, weight, configWeight: weight, admin: 'ready', up: true },
    ...more,
  });

  test.each([1, 5, 10, 25, 50, 75, 90, 99])('%i percent comes out of them again', (percent) => {
    for (const [own, others] of [
      [[server('d1', 1)], [server('p1', 1)]],
      [[server('d1', 1), server('d2', 1)], [server('p1', 1)]],
      [
        [server('d1', 10), server('d2', 30)],
        [server('p1', 100), server('p2', 100), server('p3', 50)],
      ],
    ] as const) {
      const weights = sharedWeights(own, others, percent)!;
      const all = [...own, ...others].map((each) => ({ ...each, weight: weights.get(each.name)! }));
      const shares = sharesOf(
        { dr: own.map(({ name }) => name), primary: others.map(({ name }) => name) },
        all,
      );
      expect(Math.abs(shares['dr']! - percent)).toBeLessThan(1);
      for (const { weight } of all) {
        expect(weight).toBeGreaterThanOrEqual(1);
        expect(weight).toBeLessThanOrEqual(256);
      }
    }
  });

  test('a server that is configured to get nothing goes on to get nothing', () => {
    const weights = sharedWeights([server('d1', 1), server('d2', 0)], [server('p1', 1)], 50)!;
    expect(weights.get('d2')).toBe(0);
    expect(sharedWeights([server('d1', 0)], [server('p1', 1)], 50)).toBeUndefined();
  });

  test('servers that are out or drain have no share', () => {
    const states = [
      server('p1', 1),
      server('d1', 1, { admin: 'drain' }),
      server('d2', 1, { admin: 'maint' }),
    ];
    expect(sharesOf({ primary: ['p1'], dr: ['d1', 'd2'] }, states)).toEqual({ primary: 100 });
  });
});
