import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

/** The bench from end to end. What it measures is for `docs/benchmark.md`; here it only has to measure and to say so. */

const BENCH = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));
const TIMEOUT_MS = 280_000;

interface Output {
  readonly ratios: Readonly<Record<string, number>>;
  readonly orchestrationMs: { readonly median: number };
  readonly peakBytes: Readonly<Record<string, number>>;
  readonly deviations: readonly { readonly guide: string; readonly why: string; readonly instead: string }[];
  readonly events: Readonly<Record<string, string>>;
  readonly pageCache: string;
  readonly rounds: readonly unknown[];
}

test(
  'measures the guide, tyk-dr and the bare limit on the same data, and prints nothing but JSON',
  async () => {
    const { stdout } = await execa(process.execPath, [BENCH, '--scale', 'small', '--runs', '1', '--json']);
    const output = JSON.parse(stdout) as Output;
    expect(output.rounds).toHaveLength(1);
    for (const name of ['recoverToGuide', 'recoverToBareLimit', 'recoverToGuideVerified'])
      expect(output.ratios[name], name).toSatisfy((ratio: number) => Number.isFinite(ratio) && ratio > 0);
    expect(output.orchestrationMs.median).toBeGreaterThan(0);
    for (const what of ['backup', 'recover']) expect(output.peakBytes[what], what).toBeGreaterThan(0);
    expect(Object.keys(output.events)).toEqual(expect.arrayContaining(['a', 'b', 'c']));
    expect(output.pageCache).toMatch(/dropped/i);

    const deviations = output.deviations
      .map(({ guide, why, instead }) => `${guide}: ${why}: ${instead}`)
      .join('\n');
    expect(deviations).toMatch(/dump\.rdb.*appendonly.*served 0 keys/);
    expect(deviations).toMatch(/\/api\/health.*\/hello/);
  },
  TIMEOUT_MS,
);

test('refuses a scale that it does not know, before it starts anything', async () => {
  const { exitCode, stderr } = await execa(process.execPath, [BENCH, '--scale', 'huge'], { reject: false });
  expect(exitCode).toBe(2);
  expect(stderr).toContain('small, default, large');
});
