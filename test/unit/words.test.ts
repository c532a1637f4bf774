import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { achievedRtoMs, rtoBasis, waitedMs } from '../../domain/clock.ts';
import { formatBytes, formatDuration, parseDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import { ERRORS } from '../../domain/error-table.ts';
import { redact, Secret } from '../../domain/secret.ts';

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', '15', 'm15', '15 m', '15x', '-5m'])('%j is no duration', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  test.each([
    [4_200, '4.2 s'],
    [59_990, '1 min 00 s'],
    [200_000, '3 min 20 s'],
    [3_900_000, '1 h 05 min'],
    [12, '12 ms'],
  ])('%d ms reads %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test('bytes are decimal', () =>
    expect([formatBytes(999), formatBytes(63_000_000), formatBytes(1_230_000_000)]).toEqual([
      '999 B',
      '63.0 MB',
      '1.2 GB',
    ]));
});

describe('a secret', () => {
  const secret = new Secret('hunter2-hunter2');
  test('prints nowhere', () => {
    const printed = [`${secret}`, JSON.stringify({ secret }), inspect({ deep: [secret] }), String(secret)];
    for (const text of printed) expect(text).not.toContain('hunter2');
  });

  test('is removed whole, also where a shorter one is part of it', () => {
    expect(redact('a hunter2-hunter2 b', [new Secret('hunter2'), secret])).toBe('a [redacted] b');
  });
});

describe('the error table', () => {
  test('speaks in lower case, without a full stop, and hints in sentences', () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      const message = entry.message({});
      expect(message.at(-1), code).not.toBe('.');
      // Names of products and abbreviations keep their capitals.
      expect(message.split(' ')[0], code).toMatch(/^([^A-Z]*|PostgreSQL|MongoDB|Redis|WAL)$/);
      expect(entry.hint, code).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('names the next command to type, and none where what it needs is not known', () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      if ('next' in entry) expect(entry.next({}), code).toMatch(/^(tyk-dr|temporal) [a-z-]/);
    }
    expect(new DrError('WORKER_MISSING', { queue: 'tyk-dr.dr', worker: 'dr' }).next).toBe('tyk-dr worker dr');
    expect(new DrError('WORKER_MISSING', { queue: 'tyk-dr' }).next).toBeUndefined();
    expect(DrError.told('NO_BACKUP', 'none', { deployment: 'acme' }).next).toBe('tyk-dr backup list acme');
    expect(new DrError('BUG').next).toBeUndefined();
  });

  test('decides exit codes and retries', () => {
    expect(new DrError('PORT_TAKEN').exitCode).toBe(10);
    expect(new DrError('CONFIG_INVALID').exitCode).toBe(2);
    expect(new DrError('ALREADY_RUNNING').exitCode).toBe(11);
    expect(new DrError('TOOL_FAILED').retryable).toBe(true);
    expect(new DrError('MANIFEST_ALTERED').retryable).toBe(false);
  });
});

describe('the RTO clock', () => {
  const declared = { name: 'declared', at: '2026-01-01T00:10:00.000Z', source: 'x' } as const;
  const occurred = { name: 'occurred', at: '2026-01-01T00:00:00.000Z', source: 'x' } as const;
  const verified = { name: 'traffic verified', at: '2026-01-01T00:12:00.000Z', source: 'x' } as const;

  test('counts from when the disaster began, else from when it was declared', () => {
    expect(rtoBasis([declared, occurred]).name).toBe('occurred');
    expect(achievedRtoMs([declared, occurred, verified])).toBe(720_000);
    expect(achievedRtoMs([declared, verified])).toBe(120_000);
  });

  test('has achieved nothing until traffic is verified', () =>
    expect(achievedRtoMs([declared, occurred])).toBeUndefined());

  test('shows waiting apart and never subtracts it', () => {
    const record = {
      waits: [
        { for: 'x', from: occurred.at, until: declared.at },
        { for: 'y', from: verified.at },
      ],
    };
    expect(waitedMs(record, Date.parse(verified.at) + 1_000)).toBe(601_000);
  });
});
