import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { BenchResult } from '../../bench/result.ts';

/**
 * The bench from end to end. What it measures is for `docs/benchmark.md`; here it only has to measure and to say so.
 * Its arithmetic and its verdicts are held in test/unit/bench-figures.test.ts.
 */

const BENCH = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));
const TIMEOUT_MS = 280_000;
/** Gateways of the lab hear notifications at once, and proofs of sets start no Dashboard: that is not measured here. */
const QUICK = { TYK_DR_LAB_DEAF_MS: '200', TYK_DR_LAB_BARE_PROOF: '1' };

test(
  'measures the guide, tyk-dr and the bare limit on the same data, and prints nothing but JSON',
  async () => {
    const { stdout } = await execa(process.execPath, [BENCH, '--scale', 'small', '--runs', '1', '--json'], {
      env: QUICK,
    });
    const output = JSON.parse(stdout) as BenchResult;
    expect(output.rounds).toHaveLength(1);
    for (const name of ['recoverToGuide', 'recoverToBareLimit', 'recoverToGuideVerified'] as const)
      expect(output.ratios[name], name).toSatisfy((ratio: number) => Number.isFinite(ratio) && ratio > 0);
    expect(output.orchestrationMs.median).toBeGreaterThan(0);
    for (const what of ['backup', 'recover'] as const)
      expect(output.peakBytes[what], what).toBeGreaterThan(50 << 20);
    expect(Object.keys(output.events)).toEqual(
      expect.arrayContaining(['a', 'b', 'c', 'backup (a)', 'stalls']),
    );
    expect(output.pageCache).toMatch(/dropped/i);

    const deviations = output.deviations
      .map(({ guide, why, instead }) => `${guide}: ${why}: ${instead}`)
      .join('\n');
    expect(deviations).toMatch(/dump\.rdb.*appendonly.*served 0 keys/);
    expect(deviations).toMatch(/\/api\/health.*\/hello/);

    const [{ guide, full, incremental, proof }] = output.backup.rounds as [
      BenchResult['backup']['rounds'][0],
    ];
    // The set is there before its command ends, and after each of its parts.
    expect(full.sealedMs).toBeGreaterThan(
      Math.max(full.stepsMs['back-up-redis']!, full.stepsMs['back-up-database']!),
    );
    expect(output.backup.ratios.time.median).toBeCloseTo(full.sealedMs / guide.totalMs);
    expect(guide.totalMs).toBeGreaterThan(guide.redisMs + guide.databaseMs);
    // A small lab's database alone is megabytes, as files and as SQL.
    for (const { bytes } of [guide, full]) expect(bytes).toBeGreaterThan(1 << 20);
    expect(incremental.bytes).toBeLessThan(full.bytes);
    for (const { stalls } of [guide, full, incremental, proof])
      for (const { calls, maxMs } of [stalls.redis, stalls.database]) {
        expect(calls).toBeGreaterThan(10);
        expect(maxMs).toBeGreaterThan(0);
      }
    expect(output.verdicts.map(({ what }) => what)).toEqual([
      'backup: time until sealed, (b) to (a)',
      'backup: size, (b) to (a)',
      'backup: longest stall on Redis',
      'backup: longest stall on the database',
      'recover: data restored, (b) to (a)',
      'recover: data phases of (b) to (c)',
      'recover: orchestration adds',
      'memory of a worker throughout',
    ]);
    for (const { actual, limit, met } of output.verdicts) expect(met).toBe(actual <= limit);
  },
  TIMEOUT_MS,
);

test.each([
  [['--scale', 'huge'], 'small, default, large'],
  [['--database', 'oracle'], 'postgresql, mongodb'],
  [['--mib', '0'], '--mib'],
])('refuses what it does not know before it starts anything: %j', async (args, text) => {
  const { exitCode, stderr } = await execa(process.execPath, [BENCH, ...args], { reject: false });
  expect(exitCode).toBe(2);
  expect(stderr).toContain(text);
});
