import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../domain/manifest.ts';
import { skewOf, skewText, withReached, type StorePoint } from '../../domain/points.ts';
import { composed, snapshotKind } from '../../domain/snapshot.ts';

/** The moments to which stores come back, and what a recovery is made of. */

const REDIS: StorePoint = { store: 'redis', at: '2026-01-01T12:00:00.000Z', from: 'snapshot S' };
const DATABASE: StorePoint = { store: 'database', at: '2026-01-01T12:03:20.000Z', from: 'set A' };
const CONFIG: StorePoint = { store: 'config', at: '2026-01-01T11:00:00.000Z', from: 'set A' };

describe('skew', () => {
  test('is what lies between the oldest and the newest, whatever their order', () => {
    expect(skewOf([REDIS, DATABASE, CONFIG])).toEqual({
      ms: 3_800_000,
      oldest: 'config',
      newest: 'database',
    });
    expect(skewText([DATABASE, REDIS])).toBe('3 min 20 s: Redis is older than the database');
  });

  test('that is not known is never a figure', () => {
    const open: StorePoint = { store: 'database', from: 'the end of the archive' };
    expect(skewOf([REDIS])).toBeUndefined();
    expect(skewText([REDIS, open])).toBe('not measured (without the database, not known yet)');
    expect(skewText([REDIS, CONFIG, open])).toContain('1 h 00 min');
  });

  test('is counted from what was reached: an idle database is as new as its archive', () => {
    const lastCommit = { store: 'database', at: '2026-01-01T10:00:00.000Z', from: 'last commit' } as const;
    const [, database] = withReached([REDIS, DATABASE], lastCommit);
    expect(database).toEqual({ ...DATABASE, from: 'set A, last commit' });
    expect(withReached([REDIS, database!], lastCommit)).toEqual([REDIS, database]);
    const rdb = { store: 'redis', at: '2026-01-01T09:00:00.000Z', from: 'set A' } as const;
    expect(withReached([REDIS, DATABASE], rdb)[0]).toEqual(rdb);
  });
});

test('a set with its snapshots holds the newer part of each store, and the database of the set', () => {
  const object = (name: string, bytes: number) =>
    ({ name, file: name, plain: { sha256: 'a', bytes }, cipher: { sha256: 'a', bytes } }) as const;
  const set = {
    ...{ set: 'SET', createdAt: 'then', versions: { redis: '7.0', gateway: '5.2' } },
    redis: { keys: 1 },
    objects: ['redis', 'redis-server', 'gateway-gw1', 'dump-control'].map((name) => object(name, 1)),
  } as unknown as Manifest;
  const redis = { redis: { keys: 2 }, objects: [object('redis', 2)], versions: { redis: '7.2' } };
  const config = { configTakenAt: 'now', objects: [object('redis-server', 3), object('gateway-gw1', 3)] };
  const whole = composed(set, {
    redis: redis as unknown as Manifest,
    config: { ...config, versions: { gateway: '5.3' } } as unknown as Manifest,
  });
  expect(whole).toMatchObject({ set: 'SET', redis: { keys: 2 }, configTakenAt: 'now' });
  expect(whole.objects.map(({ name, plain }) => `${name} ${plain.bytes}`)).toEqual([
    ...['redis 2', 'redis-server 3', 'gateway-gw1 3', 'dump-control 1'],
  ]);
  expect(whole.versions).toEqual({ redis: '7.2', gateway: '5.3' });
});

test('the id of a snapshot names its kind, and is that of no set', () => {
  expect(snapshotKind('20260101T000000Z-0001-redis')).toBe('redis');
  for (const id of [
    '20260101T000000Z-0001',
    '20260101T000000Z-0001-database',
    '../20260101T000000Z-0001-redis',
  ])
    expect(snapshotKind(id)).toBeUndefined();
});
