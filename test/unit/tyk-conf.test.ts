import { describe, expect, test } from 'vitest';
import { Secret } from '../../domain/secret.ts';
import { leftovers, rewriteConf, type Endpoints } from '../../domain/tyk-conf.ts';

const TARGET: Endpoints = {
  root: '/srv/dr/gw1',
  listen: 'http://127.0.0.1:9101',
  redis: { host: '127.0.0.1', port: 9102, password: new Secret('redis-of-dr') },
  database: {
    host: '10.0.0.9',
    port: 9103,
    name: 'tyk_analytics',
    user: 'tyk',
    password: new Secret("it's secret"),
  },
  dashboardUrl: 'http://127.0.0.1:9104',
  gatewayUrl: 'http://127.0.0.1:9101',
  secrets: {
    gateway: new Secret('g'),
    node: new Secret('n'),
    admin: new Secret('a'),
    certificate: new Secret('c'),
  },
};
const SOURCE = [
  { host: '127.0.0.1', port: 8101 },
  { host: '127.0.0.1', port: 8102 },
  { host: '127.0.0.1', port: 8103 },
  { host: '127.0.0.1', port: 8104 },
];

describe('a restored tyk.conf', () => {
  const conf = {
    listen_port: 8101,
    secret: 'old',
    node_secret: 'old',
    app_path: '/srv/primary/gw1/apps',
    use_db_app_configs: true,
    db_app_conf_options: { connection_string: 'http://127.0.0.1:8104', node_is_segmented: false },
    policies: { policy_source: 'service', policy_connection_string: 'http://127.0.0.1:8104' },
    storage: {
      type: 'redis',
      host: '127.0.0.1',
      port: 8102,
      password: 'old',
      database: 0,
      addrs: ['127.0.0.1:8102'],
    },
    liveness_check: { check_duration: 10 },
  };

  test('points at the target and nowhere else', () => {
    const rewritten = rewriteConf('gateway', conf, '/srv/primary/gw1', TARGET);
    expect(rewritten).toMatchObject({
      listen_port: 9101,
      app_path: '/srv/dr/gw1/apps',
      db_app_conf_options: { connection_string: 'http://127.0.0.1:9104', node_is_segmented: false },
      storage: { host: '127.0.0.1', port: 9102, password: 'redis-of-dr', database: 0 },
      liveness_check: { check_duration: 10 },
    });
    expect(leftovers(rewritten, SOURCE)).toEqual([]);
  });

  test('does not change what it was made from', () => {
    const before = JSON.stringify(conf);
    rewriteConf('gateway', conf, '/srv/primary/gw1', TARGET);
    expect(JSON.stringify(conf)).toBe(before);
  });

  test('is found out where it still names the source', () => {
    expect(leftovers(conf, SOURCE)).toEqual(
      expect.arrayContaining([
        'listen_port',
        'storage.port',
        'storage.addrs[0]',
        'db_app_conf_options.connection_string',
      ]),
    );
  });
});

describe('a restored tyk_analytics.conf', () => {
  const conf = {
    listen_port: 8104,
    tyk_api_config: { Host: 'http://127.0.0.1', Port: '8101', Secret: 'old' },
    redis_host: '127.0.0.1',
    redis_port: 8102,
    storage: {
      main: {
        type: 'postgres',
        connection_string:
          'host=127.0.0.1 port=8103 user=tyk password=old dbname=tyk_analytics sslmode=disable',
      },
      analytics: {
        type: 'postgres',
        connection_string: 'host=127.0.0.1 port=8103 user=tyk password=old dbname=tyk_analytics',
      },
    },
  };

  test('reaches the target’s database with its password quoted, and keeps every other option', () => {
    const rewritten = rewriteConf('dashboard', conf, '/srv/primary/dashboard', {
      ...TARGET,
      listen: 'http://127.0.0.1:9104',
    });
    const storage = rewritten['storage'] as Record<string, { connection_string: string }>;
    expect(storage['main']!.connection_string).toBe(
      "host=10.0.0.9 port=9103 user=tyk password='it\\'s secret' dbname=tyk_analytics sslmode=disable",
    );
    expect(leftovers(rewritten, SOURCE)).toEqual([]);
  });

  test('shares one set of secrets with the Gateways', () => {
    const dashboard = rewriteConf('dashboard', conf, '/x', TARGET);
    const gateway = rewriteConf('gateway', {}, '/x', TARGET);
    expect((dashboard['tyk_api_config'] as { Secret: string }).Secret).toBe(gateway['secret']);
    expect(dashboard['shared_node_secret']).toBe(gateway['node_secret']);
  });
});

test('a restored pump.conf writes to the target’s database and reads the target’s Redis', () => {
  const conf = {
    analytics_storage_config: { host: '127.0.0.1', port: 8102, password: 'old' },
    health_check_endpoint_port: 8105,
    pumps: {
      sql: {
        type: 'sql',
        meta: {
          type: 'postgres',
          connection_string: 'host=127.0.0.1 port=8103 user=tyk password=old dbname=tyk_analytics',
        },
      },
    },
  };
  const rewritten = rewriteConf('pump', conf, '/x', { ...TARGET, listen: 'http://127.0.0.1:9105' });
  expect(leftovers(rewritten, [...SOURCE, { host: '127.0.0.1', port: 8105 }])).toEqual([]);
});
