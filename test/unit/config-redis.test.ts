import { parse, stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { DrError } from '../../domain/errors.ts';

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
