import { describe, expect, test } from 'vitest';
import { longestGapMs, parseCron } from '../../domain/cron.ts';
import { arithmeticText, rpoArithmetic, takesMs, type RpoInput } from '../../domain/rpo.ts';
import type { HostFigures, SetFigures } from '../../domain/figures.ts';
import { standings, type Standing } from '../../domain/standing.ts';
import { statusText } from '../../report/standing.ts';

const MINUTE_MS = 60_000;
const RPO_MS = 5 * MINUTE_MS;
const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 12, minute)).toISOString();

/** A set begun at a minute after twelve, complete a minute later, verified two minutes later. */
function set(minute: number, more: Partial<SetFigures> & { bytes?: number } = {}): SetFigures {
  const { bytes = 100, ...rest } = more;
  const figures = { pointAt: at(minute), bytes, durationMs: MINUTE_MS };
  return {
    ...{ set: `set-${minute}`, startedAt: at(minute), createdAt: at(minute + 1), verifiedAt: at(minute + 2) },
    generation: 'primary-1',
    stores: { redis: figures, database: figures, config: figures },
    ...rest,
  };
}

function host(more: Partial<HostFigures> = {}): HostFigures {
  return {
    ...{ site: 'primary', worker: 'primary', measuredAt: at(30), live: true },
    ...{ serves: ['redis', 'database', 'config'], points: [], problems: [], sets: [set(20)] },
    ...{ configChangedAt: at(0), archive: { ...ARCHIVE, archivedAt: at(29) } },
    ...more,
  };
}
const ARCHIVE = { generation: 'primary-1', waiting: 0, timeoutMs: MINUTE_MS };

function of(store: Standing['store'], ...hosts: HostFigures[]): Standing {
  return standings(hosts, [store], RPO_MS)[0]!;
}

describe('what would be lost now', () => {
  test('of Redis is what came after the newest verified set', () => {
    expect(of('redis', host())).toMatchObject({ exposureMs: 10 * MINUTE_MS, state: 'out of bounds' });
    expect(of('redis', host({ sets: [set(27)] }))).toMatchObject({
      exposureMs: 3 * MINUTE_MS,
      state: 'in bounds',
    });
    const { verifiedAt: _, ...unproven } = set(29);
    const standing = of('redis', host({ sets: [unproven, set(20)] }));
    expect(standing).toMatchObject({ exposureMs: 10 * MINUTE_MS, lastSuccess: at(30), lastVerified: at(22) });
  });

  test('counts a shipped point that is newer than the set', () => {
    const points = [{ store: 'redis' as const, at: at(28), label: 'a log shipped' }];
    expect(of('redis', host({ points }))).toMatchObject({
      exposureMs: 2 * MINUTE_MS,
      basis: 'a log shipped',
    });
  });

  test('where off-site copies are configured counts only what is in one', () => {
    const copied = set(20, { copies: [{ name: 'paris', at: at(28) }] });
    const newer = set(29);
    const points = [{ store: 'redis' as const, at: at(30), label: 'a log shipped' }];
    const offSite = { offSite: true, sets: [newer, copied], points };
    expect(of('redis', host(offSite))).toMatchObject({
      exposureMs: 10 * MINUTE_MS,
      basis: 'verified set set-20, off-site at paris',
    });
    expect(of('database', host(offSite))).toMatchObject({ exposureMs: 3 * MINUTE_MS, state: 'in bounds' });
    const failing = { ...ARCHIVE, archivedAt: at(10), failedAt: at(29) };
    expect(of('database', host({ ...offSite, archive: failing })).exposureMs).toBe(10 * MINUTE_MS);
    expect(of('redis', host({ ...offSite, sets: [newer] }))).toMatchObject({
      state: 'out of bounds',
      basis: 'no verified set is in an off-site copy',
    });
  });

  test('of a database off-site ends where WAL was shipped, also behind an older proven set of the same repository', () => {
    const { verifiedAt: _, ...unproven } = set(25, {
      copies: [{ name: 'paris', at: at(26), walAt: at(29), walThrough: 'B' }],
    });
    const base = set(20, { copies: [{ name: 'paris', at: at(21), walAt: at(24), walThrough: 'A' }] });
    const away = set(20, { copies: [{ name: 'vault', at: at(21), walAt: at(22) }] });
    const figures = host({ offSite: true, sets: [unproven, base] });
    const database = of('database', figures);
    expect(database).toMatchObject({
      exposureMs: 2 * MINUTE_MS,
      basis: `WAL shipped to paris at ${at(29)} through B, behind set set-20`,
      offSiteWal: [{ name: 'paris', through: 'B' }],
    });
    // WAL at a copy that has no proven set restores nothing.
    expect(of('database', host({ offSite: true, sets: [unproven, away] })).exposureMs).toBe(9 * MINUTE_MS);
    // What waits to be archived when it is measured was not shipped either.
    const waiting = { ...ARCHIVE, waiting: 2, archivedAt: at(23) };
    expect(of('database', { ...figures, archive: waiting }).exposureMs).toBe(7 * MINUTE_MS);
    const text = statusText({ deployment: 'acme', stores: [database], problems: [] }, Date.parse(at(30)));
    expect(text).toContain('WAL: off-site at paris through B, shipped 1 min 00 s ago');
  });

  test('of Redis and configuration ends with the newest snapshot, no better proven than its set', () => {
    const snapshot = (more: object = {}) => ({
      ...set(28, { set: 'snap-28' }),
      belongsTo: 'set-20',
      stores: { redis: { pointAt: at(28), bytes: 9 } },
      ...more,
    });
    expect(of('redis', host({ snapshots: [snapshot()] }))).toMatchObject({
      ...{ exposureMs: 2 * MINUTE_MS, state: 'in bounds', basis: 'verified snapshot snap-28' },
      ...{ lastSuccess: at(29), lastVerified: at(30) },
    });
    const late = 10 * MINUTE_MS;
    expect(of('database', host({ snapshots: [snapshot()] })).basis).toContain('WAL archived');
    // Of no use without its set, and never farther away or better proven than that.
    const stray = host({ snapshots: [snapshot({ belongsTo: 'set-1' })] });
    const unproven = host({ snapshots: [snapshot({ verifiedAt: undefined })] });
    for (const each of [stray, unproven]) expect(of('redis', each).exposureMs).toBe(late);
    const copied = [{ name: 'paris', at: at(29) }];
    const here = { offSite: true, sets: [set(20, { copies: copied })] };
    expect(of('redis', host({ ...here, snapshots: [snapshot()] })).exposureMs).toBe(late);
    const elsewhere = [{ name: 'vault', at: at(29) }];
    expect(of('redis', host({ ...here, snapshots: [snapshot({ copies: elsewhere })] })).exposureMs).toBe(
      late,
    );
    expect(of('redis', host({ ...here, snapshots: [snapshot({ copies: copied })] }))).toMatchObject({
      ...{ exposureMs: 2 * MINUTE_MS, basis: 'verified snapshot snap-28, off-site at paris' },
    });
    const config = snapshot({ stores: { config: { pointAt: at(28), bytes: 9 } } });
    const changed = host({ snapshots: [config], configChangedAt: at(25) });
    expect(of('config', changed)).toMatchObject({ exposureMs: 0 });
    expect(of('config', changed).basis).toContain('snapshot snap-28');
  });

  test('of the database ends where its WAL is archived, behind a verified set of the same repository', () => {
    expect(of('database', host())).toMatchObject({ exposureMs: MINUTE_MS, state: 'in bounds' });
    const elsewhere = host({ archive: { ...ARCHIVE, archivedAt: at(29), generation: 'primary-2' } });
    expect(of('database', elsewhere)).toMatchObject({
      exposureMs: 10 * MINUTE_MS,
      basis: 'verified set set-20',
    });
  });

  test('of an idle database is at most one archive_timeout, unless archiving fails or waits', () => {
    const quiet = { ...ARCHIVE, archivedAt: at(21) };
    expect(of('database', host({ archive: quiet })).exposureMs).toBe(MINUTE_MS);
    expect(of('database', host({ archive: { ...quiet, waiting: 1 } })).exposureMs).toBe(9 * MINUTE_MS);
    const failing = of('database', host({ archive: { ...quiet, failedAt: at(25) } }));
    expect(failing).toMatchObject({ exposureMs: 9 * MINUTE_MS, state: 'out of bounds' });
    expect(failing.basis).toContain('archiving FAILS');
  });

  test('of configuration is nothing where nothing was changed since the set began', () => {
    expect(of('config', host())).toMatchObject({ exposureMs: 0, state: 'in bounds' });
    expect(of('config', host({ configChangedAt: at(20) }))).toMatchObject({ exposureMs: 10 * MINUTE_MS });
  });

  test('is everything without a verified set, and not measured without a live site or a repository', () => {
    const { verifiedAt: _, ...unproven } = set(29);
    expect(of('redis', host({ sets: [unproven] }))).toMatchObject({ state: 'out of bounds' });
    expect(of('redis', host({ live: false })).state).toBe('not measured');
    const { sets: __, ...blind } = host();
    expect(of('redis', blind).state).toBe('not measured');
    expect(of('redis', host(), host({ site: 'dr' })).state).toBe('not measured');
    expect(standings([], ['redis'], RPO_MS)[0]!.state).toBe('not measured');
  });

  test('is shown with trends against the median of the sets before', () => {
    const sets = [
      set(27, { bytes: 150 }),
      set(20, { bytes: 100 }),
      set(15, { bytes: 90 }),
      set(10, { bytes: 400 }),
    ];
    const [redis] = standings([host({ sets })], ['redis'], RPO_MS);
    expect(redis).toMatchObject({
      bytes: { value: 150, changePercent: 50 },
      durationMs: { changePercent: 0 },
    });
    const text = statusText({ deployment: 'acme', stores: [redis!], problems: [] }, Date.parse(at(30)));
    expect(text).toMatch(
      /redis +3 min 00 s +5 min 00 s +ok +2 min 00 s ago +1 min 00 s ago +150 B \+50 % +1 min 00 s \+0 % +no schedule/,
    );
  });
});

describe('the arithmetic against the RPO', () => {
  const every = (minutes: number) => ({ every: minutes * MINUTE_MS, jitter: 0, catchUp: 0 });
  const sums = (more: Partial<RpoInput>): string[] =>
    rpoArithmetic({ schedules: {}, rpoMs: RPO_MS, redis: true, database: undefined, ...more }).map(
      arithmeticText,
    );

  test('adds interval, duration and shipping: five minutes do not meet five minutes', () => {
    expect(sums({ schedules: { incremental: every(5) } })).toEqual([
      'redis: 5 min 00 s between two runs of incremental + 1 min 00 s to make and prove a set (assumed) + 0 ms to ship it (assumed) = 6 min 00 s, more than the RPO of 5 min 00 s',
    ]);
    const measured = { takesMs: 20_000, shipsMs: 10_000 };
    expect(sums({ schedules: { full: every(60), incremental: every(4) }, ...measured })).toEqual([
      'redis: 4 min 00 s between two runs of incremental + 20.0 s to make and prove a set + 10.0 s to ship it = 4 min 30 s, within the RPO of 5 min 00 s',
    ]);
  });

  test('counts jitter, and the longest gap of a cron expression', () => {
    const [fits] = rpoArithmetic({
      ...{ rpoMs: RPO_MS, redis: true, database: undefined, takesMs: 0 },
      schedules: { full: { ...every(5), jitter: 1000 } },
    });
    expect(fits).toMatchObject({ totalMs: RPO_MS + 1000, fits: false });
    expect(
      sums({ schedules: { full: { cron: '*/4 * * * *', jitter: 0, catchUp: 0 } }, takesMs: 0 })[0],
    ).toContain('within');
    expect(sums({ schedules: { full: { cron: '*/4 8-17 * * *', jitter: 0, catchUp: 0 } } })[0]).toMatch(
      /^redis: 14 h 04 min between two runs of full .* more than/,
    );
  });

  test('a database that archives its WAL is bounded by that, behind some set; another by its sets', () => {
    const daily = { full: every(24 * 60) };
    expect(sums({ schedules: daily, redis: false, database: 'wal', archiveTimeoutMs: 30_000 })[0]).toMatch(
      /^database: 30.0 s until WAL is archived \(archive_timeout\) .* within/,
    );
    expect(sums({ schedules: daily, redis: false, database: 'dump' })[0]).toMatch(
      /^database: 24 h 00 min .* more than/,
    );
    expect(sums({ redis: false, database: 'wal' })[0]).toMatch(/^database: for ever without any schedule/);
  });

  test('a database whose WAL must be off-site waits for what ships it', () => {
    const ship = { redis: false, database: 'wal' as const, offSite: true, archiveTimeoutMs: 60_000 };
    const schedules = { full: every(24 * 60), incremental: every(30) };
    expect(sums({ ...ship, schedules })[0]).toMatch(
      /30 min 00 s between two runs of incremental, which ship WAL .* more than/,
    );
    expect(sums({ ...ship, schedules: { ...schedules, copy: every(1) } })[0]).toMatch(
      /1 min 00 s between two runs of copy, which ships WAL .* = 2 min 00 s, within/,
    );
  });

  test('snapshots meet the RPO of Redis where sets do not, as long as there are sets', () => {
    const every = (minutes: number) => ({ every: minutes * MINUTE_MS, jitter: 0, catchUp: 0 });
    const schedules = { full: every(60), redis: every(3) };
    const measured = { snapshotTakesMs: { redis: 20_000 }, shipsMs: 5_000 };
    expect(sums({ schedules, ...measured })).toEqual([
      'redis: 3 min 00 s between two runs of redis + 20.0 s to make and prove a snapshot + 5.0 s to ship it = 3 min 25 s, within the RPO of 5 min 00 s',
    ]);
    expect(sums({ schedules: { redis: every(3) }, ...measured })[0]).toContain('for ever');
    expect(sums({ schedules: { ...schedules, redis: every(5) }, ...measured })[0]).toContain(
      'more than the RPO',
    );
    expect(sums({ schedules: { ...schedules, config: every(4) }, ...measured })[1]).toBe(
      'config: 4 min 00 s between two runs of config + 30.0 s to make and prove a snapshot (assumed) + 5.0 s to ship it = 4 min 35 s, within the RPO of 5 min 00 s',
    );
  });

  test('measures how long a set takes by the median of the newest', () => {
    expect(takesMs([])).toBeUndefined();
    expect(takesMs([set(20), set(10), set(0, { verifiedAt: at(50) })])).toBe(2 * MINUTE_MS);
  });
});

describe('cron', () => {
  test.each([
    ['* * * * *', 1],
    ['0 3 * * *', 24 * 60],
    ['0 3,15 * * mon-fri', 60 * 60],
    ['15 */6 * * *', 6 * 60],
    ['0 0 1 * *', 31 * 24 * 60],
    ['0 0 * * 7', 7 * 24 * 60],
    ['0 12 29 feb *', (4 * 365 + 1) * 24 * 60],
  ])('%s runs at least every %d minutes', (text, minutes) => {
    const cron = parseCron(text);
    if (typeof cron === 'string') throw new Error(cron);
    expect(longestGapMs(cron)).toBe(minutes * MINUTE_MS);
  });

  test.each([
    '* * * *',
    '60 * * * *',
    '0 24 * * *',
    '0 0 0 * *',
    '*/0 * * * *',
    '0 0 1 * mon',
    '5-1 * * * *',
    'x * * * *',
  ])('%s is refused with what was expected', (text) => expect(parseCron(text)).toMatch(/^expected /));
});
