import { describe, expect, test } from 'vitest';
import { Secret } from '../../domain/secret.ts';
import { leftovers, rewriteConf, type ConfKind, type JsonObject } from '../../domain/tyk-conf.ts';
import type { RedisTarget } from '../../domain/tyk-conf-redis.ts';

const secrets = { gateway: new Secret('g'), node: new Secret('n') };
const NODES = ['10.0.0.1:26379', '10.0.0.2:26379'];
const OLD = ['127.0.0.1:8102', '127.0.0.1:8103'];
const SOURCE = [
  { host: '127.0.0.1', port: 8102 },
  { host: '127.0.0.1', port: 8103 },
];
const TARGETS = {
  server: { host: '10.0.0.1', port: 6379, password: new Secret('p'), database: 0 },
  sentinel: {
    ...{ host: '127.0.0.1', port: 6379, username: 'tyk', password: new Secret('p') },
    sentinel: { name: 'main', nodes: NODES, password: new Secret('of the sentinels') },
  },
  cluster: {
    ...{ host: '127.0.0.1', port: 6379, cluster: { nodes: NODES } },
    tls: { ca: '/etc/ca.pem' },
  },
} satisfies Record<string, RedisTarget>;

/** As each component writes the same thing. */
const SAYS: Record<
  ConfKind,
  { block: (conf: JsonObject) => JsonObject; prefix: string; tls: string; ca: string }
> = {
  gateway: { block: (conf) => conf['storage'] as JsonObject, prefix: '', tls: 'use_ssl', ca: 'ca_file' },
  dashboard: { block: (conf) => conf, prefix: 'redis_', tls: 'redis_use_ssl', ca: 'redis_ca_file' },
  pump: {
    ...{ block: (conf) => conf['analytics_storage_config'] as JsonObject, prefix: '' },
    ...{ tls: 'redis_use_ssl', ca: 'ssl_ca_file' },
  },
};
const wrap = (kind: ConfKind, fields: JsonObject): JsonObject =>
  kind === 'dashboard' ? fields : { [kind === 'gateway' ? 'storage' : 'analytics_storage_config']: fields };
const from = (kind: ConfKind, prefix: string): Record<string, JsonObject> => ({
  'a server': {
    [`${prefix}host`]: '127.0.0.1',
    [`${prefix}port`]: 8102,
    [`${prefix}hosts`]: { '127.0.0.1': '8102' },
  },
  Sentinels: {
    ...{ [`${prefix}addrs`]: OLD, [`${prefix}master_name`]: 'old', [`${prefix}sentinel_password`]: 'old' },
    ...{ [SAYS[kind].tls]: true, [`${prefix}username`]: 'old' },
  },
  'a Cluster': { [`${prefix}addrs`]: OLD, enable_cluster: true, [`${prefix}password`]: 'old' },
});

describe.each(['gateway', 'dashboard', 'pump'] as const)(
  'the Redis of a restored configuration of the %s',
  (kind) => {
    const { block, prefix, tls, ca } = SAYS[kind];
    const field = (conf: JsonObject, name: string): unknown => block(conf)[`${prefix}${name}`];
    test.each(Object.entries(from(kind, prefix)))('that came from %s follows the target', (_what, before) => {
      const become = (redis: RedisTarget): JsonObject => {
        const conf = rewriteConf(kind, wrap(kind, before), '/x', { root: '/x', redis, secrets });
        expect(leftovers(block(conf), SOURCE)).toEqual([]);
        expect(JSON.stringify(conf)).not.toContain('old');
        return conf;
      };
      const server = become(TARGETS.server);
      expect([field(server, 'host'), field(server, 'port'), field(server, 'password')]).toEqual([
        '10.0.0.1',
        6379,
        'p',
      ]);
      expect([field(server, 'addrs'), field(server, 'master_name')]).toEqual([undefined, undefined]);
      expect(block(server)['enable_cluster'] ?? false).toBe(false);
      expect(block(server)[tls] ?? false).toBe(false);

      const sentinel = become(TARGETS.sentinel);
      expect([field(sentinel, 'addrs'), field(sentinel, 'master_name')]).toEqual([NODES, 'main']);
      expect(field(sentinel, 'sentinel_password')).toBe('of the sentinels');
      expect([field(sentinel, 'host'), field(sentinel, 'port')]).toEqual([undefined, undefined]);
      expect(block(sentinel)['enable_cluster'] ?? false).toBe(false);

      const cluster = become(TARGETS.cluster);
      expect([field(cluster, 'addrs'), field(cluster, 'master_name')]).toEqual([NODES, undefined]);
      expect([field(cluster, 'username'), field(cluster, 'password')]).toEqual([undefined, undefined]);
      expect([block(cluster)['enable_cluster'], block(cluster)[tls], block(cluster)[ca]]).toEqual([
        true,
        true,
        '/etc/ca.pem',
      ]);
    });
  },
);

test('the separate Redis for the cache and for analytics of a Gateway follow the target, each in its own database', () => {
  const separate = { host: '127.0.0.1', port: 8103, database: 3, password: 'old' };
  const before = { storage: { port: 8102 }, cache_storage: separate, analytics_storage: { addrs: OLD } };
  const to = { root: '/x', redis: TARGETS.server, secrets };
  const conf = rewriteConf('gateway', before, '/x', to);
  expect(leftovers(conf, SOURCE)).toEqual([]);
  expect(conf['cache_storage']).toEqual({ host: '10.0.0.1', port: 6379, database: 3, password: 'p' });
  expect(conf['analytics_storage']).toMatchObject({ host: '10.0.0.1', port: 6379 });
  // Where there is none, none is made.
  expect(rewriteConf('gateway', { storage: {} }, '/x', to)).not.toHaveProperty('cache_storage');
});
