import { describe, expect, test } from 'vitest';
import type { Deployment, Site } from '../../domain/config.ts';
import { drillIsApart, sharedBy } from '../../domain/config-check-drill.ts';
import { sameHost } from '../../domain/same-host.ts';

/** Only what is compared. */
function site(worker: string, root: string, firstPort: number, more: object = {}): Site {
  const service = (name: string) => ({ service: { systemd: `${name}@${firstPort}` } });
  return {
    worker,
    stateDir: `${root}/state`,
    redis: { host: '127.0.0.1', port: firstPort, dataDir: `${root}/redis`, ...service('redis') },
    database: {
      ...{ kind: 'postgresql', host: '127.0.0.1', port: firstPort + 1, dataDir: `${root}/pg` },
      ...service('postgresql'),
      pgbackrest: { configFile: `${root}/pgbackrest.conf`, lockPath: `${root}/l`, spoolPath: `${root}/s` },
    },
    gateways: [
      { name: 'gw1', url: `http://127.0.0.1:${firstPort + 2}`, root: `${root}/gw1`, ...service('tyk') },
    ],
    ...more,
  } as unknown as Site;
}

const LIVE = site('one', '/srv/live', 6000);
const drillOf = (more: object): Site => site('one', '/srv/drill', 7000, more);

test('a site with ports, folders and services of its own shares nothing', () => {
  expect(sharedBy(drillOf({}), LIVE)).toEqual([]);
});

const live = LIVE as unknown as Record<'redis' | 'database', Record<string, unknown>>;

describe('a drill would change the live site where both have', () => {
  test.each<[string, object, RegExp]>([
    [
      'one Redis',
      { redis: { ...live.redis, dataDir: undefined, service: undefined } },
      /address 127.0.0.1:6000/,
    ],
    [
      'one Redis by two names',
      { redis: { host: 'localhost', port: 6000 } },
      /address localhost:6000 \(redis\)/,
    ],
    ['one Redis by the unspecified address', { redis: { host: '[::]', port: 6000 } }, /address \[::\]:6000/],
    [
      'one data folder',
      { redis: { port: 7000, host: 'a', dataDir: '/srv/live/redis' } },
      /folder \/srv\/live\/redis/,
    ],
    [
      'a folder within that of the other',
      { stateDir: '/srv/live/gw1/state' },
      /folder \/srv\/live\/gw1\/state/,
    ],
    ['a folder around those of the other', { stateDir: '/srv/' }, /folder \/srv\//],
    ['a folder spelled otherwise', { stateDir: '/srv//live/./state/' }, /folder/],
    [
      'one file of settings',
      { redis: { port: 7000, host: 'a', configFile: '/srv/live/redis/redis.conf' } },
      /redis\.conf/,
    ],
    [
      'one pgbackrest.conf',
      { database: { ...live.database, port: 7001, dataDir: '/srv/drill/pg', service: undefined } },
      /pgbackrest\.conf/,
    ],
    [
      'one service',
      { redis: { port: 7000, host: 'a', service: { systemd: 'redis@6000' } } },
      /the command systemctl start redis@6000/,
    ],
    [
      'one service, as a command',
      { redis: { port: 7000, host: 'a', service: { start: ['systemctl', 'start', 'redis@6000'] } } },
      /the command systemctl start/,
    ],
  ])('%s', (_what, more, expected) => {
    expect(sharedBy(drillOf(more), LIVE).join('; ')).toMatch(expected);
    const deployment = { drill: { site: 'dr' }, sites: { primary: LIVE, dr: drillOf(more) } };
    const [problem] = drillIsApart(deployment as unknown as Deployment);
    expect(problem).toMatchObject({ path: ['drill', 'site'] });
    expect(problem!.message).toMatch(/^dr and primary share .*expected a site with addresses and folders/);
  });
});

test('folders and services of two hosts are two, whatever they are called', () => {
  const elsewhere = site('two', '/srv/live', 7000, {
    gateways: [
      {
        ...{ name: 'gw1', url: 'http://127.0.0.1:7002', root: '/srv/live/gw1' },
        service: { systemd: 'tyk@6000' },
      },
    ],
  });
  expect(sharedBy(elsewhere, LIVE)).toEqual([]);
});

test('a site for drills that is declared nowhere is named', () => {
  const deployment = { drill: { site: 'nowhere' }, sites: { primary: LIVE } } as unknown as Deployment;
  expect(drillIsApart(deployment)[0]!.message).toMatch(
    /no site is called 'nowhere'; expected one of primary/,
  );
});

describe('one host has many spellings', () => {
  test.each([
    ...['localhost', 'LOCALHOST', 'localhost.', '127.0.0.1', '127.0.0.2', '127.1', '0.0.0.0', '0', '[::1]'],
    ...['::', '::ffff:127.0.0.1', '[::ffff:7f00:1]', 'a.localhost'],
  ])('%s', (host) => {
    expect(sameHost(host)).toBe('this host');
  });
  test.each(['10.0.0.1', 'redis', '128.0.0.1', '::2', 'localhost.example.org', '::ffff:10.0.0.1'])(
    '%s is another',
    (host) => {
      expect(sameHost(host)).not.toBe('this host');
    },
  );
  test('IPv4 within IPv6 is that IPv4 address', () => {
    expect(sameHost('[::ffff:a00:1]')).toBe(sameHost('10.0.0.1'));
  });
});
