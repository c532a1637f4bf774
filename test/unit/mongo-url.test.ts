import { expect, test } from 'vitest';
import { mongoUrl } from '../../domain/mongo-url.ts';
import { Secret } from '../../domain/secret.ts';
import { leftovers, rewriteConf } from '../../domain/tyk-conf.ts';

const HOST = { host: '10.0.0.9', port: 9103, name: 'tyk_analytics' };
const MEMBER = {
  ...HOST,
  ...{ user: 'tyk@x', password: new Secret('p/w:@?'), authSource: 'admin', replicaSet: 'dr', tls: true },
};

test.each([
  ['mongodb://127.0.0.1:8103/tyk_analytics', HOST, 'mongodb://10.0.0.9:9103/tyk_analytics'],
  [undefined, HOST, 'mongodb://10.0.0.9:9103/tyk_analytics'],
  [
    'mongodb://old:pw@a:1,b:2/old?replicaSet=primary&maxPoolSize=9&ssl=true&authSource=x',
    HOST,
    'mongodb://10.0.0.9:9103/tyk_analytics?maxPoolSize=9',
  ],
  [
    'mongodb+srv://old:pw@cluster.example/old?w=majority',
    MEMBER,
    'mongodb://tyk%40x:p%2Fw%3A%40%3F@10.0.0.9:9103/tyk_analytics?w=majority&authSource=admin&replicaSet=dr&tls=true',
  ],
])('%s becomes the target’s, with its other options', (old, to, expected) => {
  expect(mongoUrl(old, to)).toBe(expected);
});

const secrets = { gateway: new Secret('g'), node: new Secret('n') };
const url = 'mongodb://127.0.0.1:8103/tyk_analytics';
const SOURCE = [{ host: '127.0.0.1', port: 8103 }];

test('Dashboard and Pump name only the target’s MongoDB, wherever they name one', () => {
  const storage = { type: 'mongo', connection_string: url };
  const dashboard = { mongo_url: url, storage: { main: storage, logs: storage } };
  const pump = {
    pumps: {
      mongo: { type: 'mongo', meta: { mongo_url: url, collection_name: 'tyk_analytics' } },
      'mongo-pump-selective': { meta: { mongo_url: url } },
    },
    uptime_pump_config: { mongo_url: url },
  };
  for (const [kind, conf] of [
    ['dashboard', dashboard],
    ['pump', pump],
  ] as const) {
    expect(leftovers(conf, SOURCE).length).toBe(3);
    const rewritten = rewriteConf(kind, conf, '/x', { root: '/y', mongodb: HOST, secrets });
    expect(leftovers(rewritten, SOURCE)).toEqual([]);
    expect(JSON.stringify(rewritten).match(/10\.0\.0\.9:9103/g)).toHaveLength(3);
  }
});
