import { describe, expect, test } from 'vitest';
import type { HostReport, TreePrint } from '../../domain/doctor.ts';
import type { HostFigures, ReplicationFigures, SetFigures, SlotFigure } from '../../domain/figures.ts';
import { judgeDrift } from '../../domain/judge-drift.ts';
import { judgeReplication } from '../../domain/judge-replication.ts';
import { standingText, type StoreStanding } from '../../domain/replication.ts';
import { standingLine, standings } from '../../domain/standing.ts';
import { statusText } from '../../report/standing.ts';
import { REPLICATION_GAUGES } from '../../worker/replication-metrics.ts';

const SECOND_MS = 1000;
const RPO_MS = 5 * 60 * SECOND_MS;
const GB = 1_000_000_000;
const NOW_MS = Date.UTC(2026, 0, 1, 12);
const ago = (ms: number): string => new Date(NOW_MS - ms).toISOString();

function follows(store: StoreStanding['store'], more: Partial<StoreStanding> = {}): StoreStanding {
  return {
    ...{ store, site: 'dr', role: 'follows', streaming: true, lagMs: 0, markedAt: ago(2 * SECOND_MS) },
    lagBytes: 0,
    ...more,
  };
}

const reserved: SlotFigure = { site: 'dr', heldBytes: 1000, active: true, status: 'reserved' };

function host(site: string, replication: Partial<ReplicationFigures> | undefined, more = {}): HostFigures {
  const own = { deployment: 'acme', maxLagMs: RPO_MS, stores: ['redis', 'database'] as const };
  return {
    ...{ site, worker: site, measuredAt: ago(0), live: site === 'primary', points: [], problems: [] },
    serves: site === 'primary' ? ['redis', 'database'] : [],
    ...(replication ? { replication: { ...own, ...replication } } : {}),
    ...more,
  };
}

const primary = (slot: Partial<SlotFigure> = {}, disk = { freeBytes: 40 * GB, keepBytes: 8 * GB }) =>
  host('primary', { slots: { ...disk, slots: [{ ...reserved, ...slot }] } });

const dr = (redis: Partial<StoreStanding> = {}, more: Partial<ReplicationFigures> = {}) =>
  host('dr', { follows: 'primary', standing: [follows('redis', redis), follows('database')], ...more });

const told = (...hosts: HostFigures[]): string[] =>
  judgeReplication(hosts)
    .filter(({ severity }) => severity !== 'ok')
    .map(({ severity, where, message }) => `${severity} ${where}: ${message}`);

describe('what commits wait for', () => {
  const commits = (more: Partial<NonNullable<ReplicationFigures['commits']>>): HostFigures =>
    host('primary', { commits: { wanted: true, names: '', confirmed: false, waiting: 0, ...more } });

  test('is said where it confirms nothing, with both ways out; and where nobody waits although it is wanted', () => {
    const [found] = judgeReplication([
      commits({ names: 'FIRST 1 ("tyk_dr_dr")', waiting: 3 }),
      dr({}, { standing: [follows('redis'), follows('database')] }),
    ]).filter(({ message }) => message.includes('STAND STILL'));
    expect(found).toMatchObject({ severity: 'error', where: 'primary' });
    expect(found!.message).toContain('(3 wait now)');
    expect(found!.hint).toContain('tyk-dr replicate acme --to dr --synchronous off');
    // Also where no worker of the standby answers.
    expect(told(commits({ names: 'x' })).join('\n')).toContain('WRITES STAND STILL');
    expect(told(commits({}), dr()).join('\n')).toMatch(
      /^warning primary: commits wait for no standby, although/m,
    );
  });

  test('is well where the standby confirms, and where nobody wants it', () => {
    expect(told(commits({ names: 'x', confirmed: true }), dr())).toEqual(told(host('primary', {}), dr()));
    expect(told(commits({ wanted: false }), dr())).toEqual(told(host('primary', {}), dr()));
  });
});

describe('who follows, and how closely', () => {
  test('is well where every store streams and the slot is read; each is told in a line', () => {
    expect(told(primary(), dr())).toEqual([]);
    expect(judgeReplication([primary(), dr()]).map(({ message }) => message)).toEqual([
      'redis follows, 0 ms behind, 0 B to come',
      'database follows, 0 ms behind, 0 B to come',
      'the slot for dr holds back 1.0 kB of at most 8.0 GB, 40.0 GB are free',
    ]);
  });

  test('is nobody, where the strategy replicates: with the command that changes it', () => {
    const found = judgeReplication([host('primary', {}), host('dr', {}), host('spare', undefined)]);
    expect(found).toMatchObject([
      {
        severity: 'error',
        message: 'nobody follows primary',
        hint: 'Make it follow: tyk-dr replicate acme --to dr.',
      },
    ]);
    expect(told(host('primary', {}))).toEqual([
      'error primary: whether anybody follows primary is not measured: no worker of another site answers',
    ]);
    expect(told(host('primary', {}), dr({}, { follows: 'tertiary' }))).toEqual([
      'error primary: nobody follows primary',
      'error dr: dr is a standby of tertiary, which does not serve: primary does',
    ]);
    // Nothing replicates, or it is not known who serves.
    expect(told(host('primary', undefined), host('dr', undefined))).toEqual([]);
    expect(told(host('primary', {}, { live: false }), dr())).toEqual([]);
  });

  test('is not well where a store does not stream, lags, is written to, or is not measured', () => {
    const because = (redis: Partial<StoreStanding>): string => told(primary(), dr(redis)).join('\n');
    expect(because({ streaming: false })).toMatch(/^error dr: redis a replica whose stream stands still/);
    expect(because({ role: 'writes' })).toMatch(/^error dr: redis is written to: it is no replica/);
    // The Sentinels have made it the master: nothing is wrong with it, and somebody must know.
    expect(because({ role: 'writes', promoted: true })).toBe(
      'warning dr: redis is written to: the Sentinels have made it the master already, 0 ms behind, the old master has 0 B of its stream that it lacks',
    );
    expect(because({ role: 'unreachable', problem: 'no route' })).toBe(
      'error dr: redis not reachable: no route',
    );
    expect(because({ lagMs: RPO_MS + SECOND_MS })).toMatch(/5 min 01 s behind.*; the limit is 5 min 00 s$/);
    const { lagMs: _, markedAt: __, ...unmarked } = follows('redis');
    expect(told(primary(), dr({}, { standing: [unmarked, follows('database')] }))).toEqual([
      'warning dr: redis follows, lag not measured, 0 B to come',
    ]);
    expect(told(primary(), dr({}, { standing: [follows('redis')] }))).toEqual([
      'error dr: its database is not measured: the worker of its host does not answer',
    ]);
    // Level with a beacon that has stopped: nobody knows what else has come.
    expect(because({ markedAt: ago(2 * RPO_MS) })).toMatch(
      /^warning dr: .* 0 ms behind.*; but its newest watermark is 10 min 00 s old$/,
    );
  });

  test('costs the site that serves disk, up to a limit that the disk must bear', () => {
    const slot = (more: Partial<SlotFigure>, disk?: { freeBytes: number; keepBytes: number }): string =>
      told(primary(more, disk), dr()).join('\n');
    expect(slot({ active: false })).toMatch(/^error primary: .*: nobody reads it$/);
    expect(slot({ status: 'lost' })).toMatch(/^error primary: .*\(lost\).*: what dr needs is gone$/);
    expect(slot({ heldBytes: 5 * GB })).toMatch(
      /^warning primary: .* 5.0 GB of at most 8.0 GB.*falls behind$/,
    );
    expect(slot({}, { freeBytes: GB, keepBytes: 8 * GB })).toMatch(
      /^warning primary: .*, 1.0 GB are free: were dr away, the disk would be full before that limit$/,
    );
    const unlimited = host('primary', { slots: { freeBytes: GB, slots: [reserved] } });
    expect(told(unlimited, dr())).toEqual([
      'error primary: max_slot_wal_keep_size is -1: a standby that stays away fills the disk',
    ]);
    const without = host('primary', { slots: { freeBytes: GB, keepBytes: GB, slots: [] } });
    expect(told(without, dr()).join('\n')).toMatch(/^error primary: there is no slot for dr/);
    const forgotten = primary({ site: 'old', active: false });
    expect(told(forgotten, dr()).join('\n')).toMatch(
      /^warning primary: the slot for old .* does not follow$/m,
    );
  });

  test('is said for people without promising what was not measured', () => {
    expect(standingText({ store: 'redis', site: 'dr', role: 'follows', streaming: false })).toBe(
      'a replica whose stream stands still, lag not measured',
    );
  });
});

test('metrics have a value for what was measured, and none for what was not', () => {
  const valuesOf = ({ replication }: HostFigures): Record<string, number> => {
    const found: Record<string, number> = {};
    for (const [name, , labelNames, fill] of REPLICATION_GAUGES)
      fill((labels, value) => {
        expect(Object.keys(labels), name).toEqual(labelNames);
        found[[name.replace('tyk_dr_', ''), ...Object.values(labels)].join(' ')] = value;
      }, replication!);
    return found;
  };
  const unmeasured: StoreStanding = { store: 'redis', site: 'dr', role: 'unreachable' };
  const database = follows('database', { lagMs: 1_500, lagBytes: 7, markedAt: ago(0) });
  expect(valuesOf(dr({}, { standing: [unmeasured, database] }))).toEqual({
    ...{ 'replica_streaming redis': 0, 'replica_streaming database': 1 },
    ...{ 'replica_lag_seconds database': 1.5, 'replica_lag_bytes database': 7 },
    'replica_marked_timestamp_seconds database': NOW_MS / SECOND_MS,
    replica_max_lag_seconds: RPO_MS / SECOND_MS,
  });
  expect(valuesOf(primary({ active: false, status: 'lost' }))).toEqual({
    ...{ 'slot_held_bytes dr': 1000, 'slot_active dr': 0, 'slot_lost dr': 1 },
    ...{ replica_max_lag_seconds: RPO_MS / SECOND_MS },
    ...{ slot_limit_bytes: 8 * GB, slot_disk_free_bytes: 40 * GB },
  });
});

describe('what would be lost now, with a standby', () => {
  const set: SetFigures = {
    ...{ set: 'set-1', startedAt: ago(600_000), createdAt: ago(600_000), verifiedAt: ago(500_000) },
    stores: { redis: { pointAt: ago(600_000), bytes: 1 } },
  };
  const serving = (sets: SetFigures[] | undefined) => host('primary', {}, sets === undefined ? {} : { sets });
  const redisOf = (...hosts: HostFigures[]) => standings(hosts, ['redis'], RPO_MS)[0]!;

  test('is what has not arrived there, however old the sets are; both are said', () => {
    const standing = redisOf(serving([set]), dr());
    expect(standing).toMatchObject({ exposureMs: 2 * SECOND_MS, state: 'in bounds' });
    expect(standingLine(standing)).toBe(
      'redis: exposure 2.0 s, RPO 5 min 00 s: in bounds (standby dr: 2.0 s behind; from sets alone 10 min 00 s: verified set set-1)',
    );
    // By the journal it may be more than by the clock of the standby.
    expect(redisOf(serving([set]), dr({ lagMs: 9 * SECOND_MS })).exposureMs).toBe(9 * SECOND_MS);
  });

  test('is what sets say where the stream stands still, no watermark has come, or another site is followed', () => {
    const { markedAt: _, ...unmarked } = follows('redis');
    for (const each of [
      dr({ streaming: false }),
      dr({ role: 'unreachable' }),
      dr({ problem: 'its master is another' }),
      dr({}, { standing: [unmarked] }),
      dr({}, { follows: 'tertiary' }),
      dr({ markedAt: ago(900_000) }),
    ])
      expect(redisOf(serving([set]), each), JSON.stringify(each)).toMatchObject({
        ...{ exposureMs: 600_000, state: 'out of bounds', basis: 'verified set set-1' },
      });
  });

  test('stays out of bounds without a proven set: what damages the data damages the standby too', () => {
    const { verifiedAt: _, ...unproven } = set;
    expect(redisOf(serving([unproven]), dr())).toMatchObject({
      ...{ exposureMs: 2 * SECOND_MS, state: 'out of bounds' },
      basis: 'standby dr: 2.0 s behind; from sets alone no set is verified: all of it would be lost',
    });
    expect(redisOf(serving(undefined), dr()).state).toBe('not measured');
  });

  test('is shown with who follows, and with what to do where nobody does', () => {
    const status = (...hosts: HostFigures[]): string =>
      statusText(
        {
          ...{ deployment: 'acme', problems: [], stores: standings(hosts, ['redis'], RPO_MS) },
          replication: judgeReplication(hosts),
        },
        NOW_MS,
      );
    expect(status(primary(), dr())).toContain('  replication: dr: redis follows, 0 ms behind, 0 B to come\n');
    expect(status(host('primary', {}), host('dr', {}))).toContain(
      '  REPLICATION: primary: nobody follows primary\n    hint: Make it follow: tyk-dr replicate acme --to dr.',
    );
  });
});

describe('drift between a standby and the site that it follows', () => {
  const tree = (more: Partial<TreePrint> = {}): TreePrint => ({
    ...{ name: 'gateway gw1', kind: 'gateway', certificates: [] },
    parts: [
      { name: 'tyk.conf: hash_keys', digest: 'a' },
      { name: 'middleware', digest: 'b' },
    ],
    ...more,
  });
  const report = (site: string, trees: TreePrint[], more: Partial<HostReport> = {}): HostReport => ({
    ...{ site, worker: site, findings: [], fingerprints: [], keys: [], versions: [], recipient: 'age1x' },
    ...{ trees, ...more },
  });
  const found = (...reports: HostReport[]): string[] =>
    judgeDrift(reports, [primary(), dr()]).map(
      ({ severity, where, message }) => `${severity} ${where}: ${message}`,
    );

  test('is none where all parts are equal, also where the standby has fewer Gateways of other names', () => {
    expect(found(report('primary', [tree()]), report('dr', [tree({ name: 'gateway standby' })]))).toEqual([
      'ok dr: configuration, files, certificates and versions are those of primary',
    ]);
  });

  test('is named by field and folder, never by value', () => {
    const parts = [
      { name: 'tyk.conf: hash_keys', digest: 'other' },
      { name: 'middleware', digest: 'b' },
      { name: 'apps', digest: 'new' },
    ];
    expect(found(report('primary', [tree()]), report('dr', [tree({ parts })]))).toEqual([
      'warning dr: gateway gw1 differs from gateway gw1 of primary in tyk.conf: hash_keys, apps',
    ]);
  });

  test('is not claimed to be none where it was not compared', () => {
    const other = report('dr', [tree()], { recipient: 'age1y' });
    expect(found(report('primary', [tree()]), other)).toEqual([
      'warning dr: not compared with primary: the workers have different age identities',
    ]);
    const missing = tree({ parts: [], problem: 'tyk.conf is not there' });
    expect(found(report('primary', [tree()]), report('dr', [missing]))).toEqual([
      'warning dr: not compared: gateway gw1: tyk.conf is not there',
    ]);
    expect(found(report('dr', [tree()]))).toEqual([
      'warning dr: not compared with primary: a worker tells nothing of its files',
    ]);
  });

  test('of certificates and versions is told with dates and numbers', () => {
    const certificates = (sha256: string, validTo: string) => [{ subject: 'CN=api', sha256, validTo }];
    const at = (version: string) => [{ name: 'gateway gw1', component: 'gateway', version }];
    expect(
      found(
        report('primary', [tree({ certificates: certificates('A', 'Jan 1 2027') })], {
          versions: at('v5.3.8'),
        }),
        report('dr', [tree({ certificates: certificates('B', 'Jan 1 2026') })], { versions: at('v5.8.0') }),
      ),
    ).toEqual([
      'warning dr: gateway gw1 shows the certificate CN=api until Jan 1 2026; primary shows CN=api until Jan 1 2027',
      'warning dr: gateway gw1 is v5.8.0, newer than v5.3.8 of primary: once it has written, there may be no way back',
    ]);
  });
});
