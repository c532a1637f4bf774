import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepRun, listRuns, readRun } from '../../../adapters/backup/runs.ts';
import { runRecord } from '../../harness/run-record.ts';

/** Records of runs beside the backup sets: a thousand of them, an index that lacks some, files that were cut off. */

let repository: string;
beforeAll(async () => {
  repository = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
});
afterAll(() => rm(repository, { recursive: true, force: true }));

const folder = (): string => join(repository, 'acme', 'runs');
const id = (number: number): string => `rec-20260101-000000-${String(number).padStart(4, '0')}`;

test('a thousand records are listed within a second, newest first, with their achieved times', async () => {
  for (let number = 0; number < 1000; number += 1)
    await keepRun({ repository }, runRecord({ run: id(number), outcome: 'RECOVERED' }));
  const startedAt = performance.now();
  const runs = await listRuns({ repository }, 'acme');
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(runs).toHaveLength(1000);
  expect(runs[0]).toMatchObject({ run: id(999), outcome: 'RECOVERED', achievedRtoMs: 60_000 });
});

test('listing a thousand opens the index and none of them: it costs what one file costs', async () => {
  const own = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  for (let number = 0; number < 50; number += 1)
    await keepRun({ repository: own }, runRecord({ run: id(number), outcome: 'RECOVERED' }));
  const records = (await readdir(join(own, 'acme', 'runs'))).filter((name) => name.startsWith('rec-'));
  // Whoever opened one of them would find nothing in it.
  for (const name of records) await writeFile(join(own, 'acme', 'runs', name), '');
  const runs = await listRuns({ repository: own }, 'acme');
  expect(runs.filter(({ outcome }) => outcome === 'RECOVERED')).toHaveLength(50);
  await rm(own, { recursive: true });
});

test('the records are the truth: what the index lacks, says twice or cannot say is read from them', async () => {
  await keepRun({ repository }, runRecord({ run: id(7), outcome: 'STUCK' }));
  await rm(join(folder(), `${id(8)}.json`));
  const brought = runRecord({ run: 'rec-20270101-000000-0000', outcome: 'ABORTED' });
  await writeFile(join(folder(), `${brought.run}.json`), JSON.stringify(brought));
  await writeFile(join(folder(), 'rec-20270102-000000-0000.json'), '{"format":"tyk-dr/run/v1","run":');
  await writeFile(join(folder(), 'index.jsonl'), '{"version":1,"run":"re', { flag: 'a' });
  const runs = await listRuns({ repository }, 'acme');
  expect(runs).toHaveLength(1000);
  expect(runs[0]).toMatchObject({ run: brought.run, outcome: 'ABORTED' });
  expect(runs.find(({ run }) => run === id(7))!.outcome).toBe('STUCK');
  expect(runs.some(({ run }) => run === id(8))).toBe(false);
});

test('without any index all is there as well, and a name that leads elsewhere is no run', async () => {
  await rm(join(folder(), 'index.jsonl'));
  expect(await listRuns({ repository }, 'acme')).toHaveLength(1000);
  expect(await readRun({ repository }, 'acme', '../runs/index')).toBeUndefined();
  expect(await readRun({ repository }, 'acme', 'constructor')).toBeUndefined();
  expect(await listRuns({ repository }, 'another')).toEqual([]);
  expect((await readdir(folder())).filter((name) => name.endsWith('.new'))).toEqual([]);
});
