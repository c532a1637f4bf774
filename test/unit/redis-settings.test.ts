import { expect, test } from 'vitest';
import { judgeSettings, type RedisSettings } from '../../adapters/redis/settings.ts';

/** As the guide has it. */
const GUIDE: RedisSettings = {
  appendOnly: true,
  appendFsync: 'everysec',
  save: '900 1 300 10 60 10000',
  disklessDelaySeconds: 0,
  maxMemoryBytes: 0,
  usedMemoryBytes: 10 << 20,
  evictionPolicy: 'noeviction',
  lastSaveFailed: false,
  lastAppendFailed: false,
  lastRewriteFailed: false,
};
const FIVE_MINUTES_MS = 300_000;

test('the guide’s settings are found to be well', () => {
  const findings = judgeSettings(GUIDE, { rpoMs: FIVE_MINUTES_MS, method: 'files' });
  expect(findings.map(({ setting, severity }) => [setting, severity])).toEqual([
    ['appendonly', 'ok'],
    ['appendfsync', 'ok'],
    ['save', 'ok'],
    ['maxmemory-policy', 'ok'],
    ['repl-diskless-sync-delay', 'ok'],
  ]);
});

test.each([
  ['no log', { appendOnly: false }, 'appendonly', 'warning', 'since the last snapshot'],
  [
    'snapshots rarer than the RPO',
    { appendOnly: false },
    'save',
    'error',
    'up to 15 min 00 s for a snapshot: a crash can lose more than the RPO of 5 min 00 s',
  ],
  ['snapshots often enough', { appendOnly: false, save: '120 1' }, 'save', 'ok', 'within the RPO'],
  ['neither', { appendOnly: false, save: '' }, 'save', 'error', 'a restart comes up empty'],
  ['a log alone', { save: '' }, 'save', 'ok', 'the append-only log is on'],
  ['a log that the kernel writes', { appendFsync: 'no' }, 'appendfsync', 'warning', 'loses about 30.0 s'],
  ['a log for each write', { appendFsync: 'always' }, 'appendfsync', 'ok', 'loses nothing'],
  [
    'eviction of anything',
    { evictionPolicy: 'allkeys-lru', maxMemoryBytes: 20 << 20 },
    'maxmemory-policy',
    'error',
    'API keys and certificates',
  ],
  [
    'eviction of sessions',
    { evictionPolicy: 'volatile-ttl', maxMemoryBytes: 20 << 20 },
    'maxmemory-policy',
    'error',
    'sessions among them',
  ],
  [
    'eviction to come',
    { evictionPolicy: 'allkeys-lru' },
    'maxmemory-policy',
    'warning',
    'maxmemory is not set',
  ],
  ['a memory almost full', { maxMemoryBytes: 11 << 20 }, 'maxmemory-policy', 'warning', '(91 %)'],
  [
    'a snapshot that failed',
    { lastSaveFailed: true },
    'rdb_last_bgsave_status',
    'error',
    'older than it seems',
  ],
  ['a log that failed', { lastAppendFailed: true }, 'aof_last_write_status', 'error', 'only in memory'],
  ['backups that wait', { disklessDelaySeconds: 5 }, 'repl-diskless-sync-delay', 'warning', 'waits 5 s'],
] as const)('%s', (_what, change, setting, severity, meaning) => {
  const all = judgeSettings({ ...GUIDE, ...change }, { rpoMs: FIVE_MINUTES_MS, method: 'files' });
  const found = all.find((finding) => finding.setting === setting)!;
  expect(found).toMatchObject({ severity });
  expect(found.meaning).toContain(meaning);
  expect(found.hint === '').toBe(severity === 'ok');
});

test('against a shorter RPO the same setting is an error', () => {
  const severity = (appendFsync: string, rpoMs: number) =>
    judgeSettings({ ...GUIDE, appendFsync }, { rpoMs, method: 'commands' })[1]!.severity;
  expect([severity('no', 20_000), severity('everysec', 500), severity('everysec', 1_000)]).toEqual([
    ...['error', 'error', 'ok'],
  ]);
});

test('what may not be asked is said to be unknown', () => {
  const { appendFsync: _, save: __, disklessDelaySeconds: ___, ...known } = GUIDE;
  const findings = judgeSettings({ ...known, configDenied: 'NOPERM' }, { rpoMs: 1, method: 'files' });
  expect(findings.map(({ setting, severity }) => [setting, severity])).toEqual([
    ['appendonly', 'ok'],
    ['maxmemory-policy', 'ok'],
    ['CONFIG GET', 'warning'],
  ]);
});
