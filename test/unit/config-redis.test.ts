import { parse, stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { addressesOf } from '../../domain/addresses.ts';
import { checkConfig } from '../../domain/config-check.ts';
import type { Config } from '../../domain/config.ts';
import type { DrError } from '../../domain/errors.ts';
import { sentinelPlaces } from '../../domain/sentinel-places.ts';

/** `redis:` of the example with fields changed; undefined takes one out. */
function errors(change: Record<string, unknown>, ofParis: Record<string, unknown> = {}): string {
  const config = parse(EXAMPLE, { merge: true }) as {
    deployments: { payments: { sites: Record<string, { redis: Record<string, unknown> }> } };
  };
  const { london, paris } = config.deployments.payments.sites;
  london!.redis = { ...london!.redis, ...change };
  paris!.redis = { ...paris!.redis, ...ofParis };
  try {
    parseConfig(stringify(config), 'tyk-dr.yaml');
    return '';
  } catch (error) {
    return (error as DrError).message;
  }
}

const MANAGED = {
  method: 'commands',
  service: undefined,
  dataDir: undefined,
  configFile: undefined,
  runAs: undefined,
};
const SENTINEL = { sentinel: { name: 'tyk', nodes: ['10.0.0.1:26379'] } };
const CLUSTER = { cluster: { nodes: ['10.0.0.1:7000', '10.0.0.2:7000'] } };

describe('redis in a configuration', () => {
  test('may be managed, behind Sentinels or a Cluster, over TLS', () => {
    const tls = { tls: { ca: '/etc/ca.pem', cert: '/etc/tls.pem', key: '/etc/tls.key' }, username: 'tyk-dr' };
    for (const kind of [{}, SENTINEL, CLUSTER]) expect(errors({ ...MANAGED, ...tls, ...kind })).toBe('');
  });

  test.each([
    ['Sentinel by files', SENTINEL, 'redis.method: files does not work with Sentinel'],
    ['a Cluster by files', CLUSTER, 'redis.method: files does not work with Cluster'],
    [
      'both at once',
      { ...MANAGED, ...SENTINEL, ...CLUSTER },
      'redis.cluster: beside sentinel; expected one of the two',
    ],
    [
      'a database of a Cluster',
      { ...MANAGED, ...CLUSTER, database: 3 },
      'redis.database: 3; a Cluster has only database 0',
    ],
    [
      'files that are nowhere',
      { dataDir: undefined },
      'redis.dataDir: missing; expected it for method files',
    ],
    [
      'files under a server that nobody stops',
      { service: undefined },
      'redis.service: missing; expected it for method files',
    ],
    ['half of a certificate', { tls: { cert: '/etc/tls.pem' } }, 'redis.tls: one of cert and key is missing'],
    [
      'a node without its port',
      { ...MANAGED, cluster: { nodes: ['redis-1'] } },
      'expected HOST:PORT, such as redis-1.example.com:6379',
    ],
    [
      'a password in clear',
      { ...MANAGED, sentinel: { ...SENTINEL.sentinel, password: 'hunter22' } },
      'expected a reference',
    ],
  ])('%s is refused', (_what, change, message) => {
    const told = errors(change);
    expect(told).toContain(message);
    expect(told).not.toContain('hunter22');
  });

  test('lies in the same database on every site', () => {
    expect(errors({ database: 3 })).toContain('sites.paris.redis.database: 0; site london has 3');
    expect(errors({ database: 3 }, { database: 3 })).toBe('');
  });
});

describe('Sentinels above the servers of sites that follow one another', () => {
  const WATCHED = {
    sentinel: { name: 'tyk', nodes: ['10.0.0.1:26379', '10.0.1.1:26379', '10.0.2.1:26379'] },
  };
  const own = (): Config => {
    const config: Config = structuredClone(parseConfig(EXAMPLE, 'tyk-dr.yaml'));
    Object.assign(config.deployments['payments']!, {
      ...{ strategy: 'pilot-light' },
      replication: { redis: {}, database: { user: 'u', password: 'env:P', mode: 'asynchronous' } },
    });
    return config;
  };
  const problems = (london: object, paris: object, change?: (config: Config) => void): string[] => {
    const config = own();
    const { sites } = config.deployments['payments']!;
    Object.assign(sites['london']!.redis!, london);
    Object.assign(sites['paris']!.redis!, paris);
    change?.(config);
    return checkConfig(config)
      .map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`)
      .filter((text) => text.includes('redis'));
  };

  test('are those of both, and each has its data folder and its own address', () => {
    expect(problems(WATCHED, WATCHED)).toEqual([]);
    const { sites } = own().deployments['payments']!;
    const site = { ...sites['london']!, redis: { ...sites['london']!.redis!, ...WATCHED } };
    expect(addressesOf(site).filter(({ component }) => component === 'redis')).toHaveLength(1);
    expect(addressesOf(site).filter(({ component }) => component === 'sentinel')).toHaveLength(3);
    expect(problems({ ...WATCHED, dataDir: undefined }, WATCHED)[0]).toContain('redis.dataDir: missing');
  });

  test('are the same on every site', () => {
    expect(problems(WATCHED, {})).toEqual([
      expect.stringContaining('sites.paris.redis.sentinel: none; site london has'),
    ]);
    const other = { sentinel: { ...WATCHED.sentinel, nodes: ['10.0.0.1:26379'] } };
    expect(problems(WATCHED, other)[0]).toContain('expected the same Sentinels on every site');
    // Nearest first is everybody's own affair.
    const turned = { sentinel: { ...WATCHED.sentinel, nodes: [...WATCHED.sentinel.nodes].reverse() } };
    expect(problems(WATCHED, turned)).toEqual([]);
  });

  test('are none of a Cluster’s, and not above a rehearsal', () => {
    expect(problems(CLUSTER, CLUSTER).join('\n')).toContain('needs a Redis of method files without Cluster');
    const rehearsed = problems(WATCHED, WATCHED, (config) => {
      const { sites } = config.deployments['payments']!;
      Object.assign(sites, { third: structuredClone(sites['paris']) });
      Object.assign(config.deployments['payments']!, { drill: { site: 'third' } });
    });
    expect(rehearsed.join('\n')).toContain('expected none on the site of drills');
  });

  test('that stand mostly at one site are told', () => {
    const { deployments } = own();
    const at = (...hosts: string[]): string[] => {
      const deployment = structuredClone(deployments['payments']!);
      for (const [name, host] of [
        ['london', '10.0.0.1'],
        ['paris', '10.0.1.1'],
      ] as const)
        Object.assign(deployment.sites[name]!.redis!, {
          ...{ host },
          sentinel: { name: 'tyk', nodes: hosts.map((each, index) => `${each}:${26379 + index}`) },
        });
      return sentinelPlaces(deployment).map(({ site, here, all }) => `${site} ${here} of ${all}`);
    };
    expect(at('10.0.0.1', '10.0.1.1', '10.0.2.1')).toEqual(['london 1 of 3', 'paris 1 of 3']);
    expect(at('10.0.0.1', '10.0.0.1', '10.0.1.1')).toEqual(['london 2 of 3', 'paris 1 of 3']);
  });
});
