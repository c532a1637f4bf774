import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFile } from 'node:fs/promises';
import type { RunRecord, Scenario } from '../../domain/run.ts';
import { corruptRows, deleteApis } from '../../lab/break.ts';
import { keyFile, localUrl } from '../../lab/layout.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';

/** Damage that the site itself has done: it goes back to before it, where it stands. */

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
});
afterAll(() => lab.down());

const definitions = (): Promise<unknown> =>
  Promise.all(
    ['tyk_apis', 'tyk_policies'].map((table) =>
      sqlOn(lab.lab, 'primary', `SELECT to_jsonb(t) - 'updated_at' AS row FROM ${table} t ORDER BY id`),
    ),
  );

async function client(path: string, keyName?: string): Promise<number> {
  const key = keyName === undefined ? undefined : await readFile(keyFile(lab.lab, keyName), 'utf8');
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: key.trim() };
  return (await fetch(`${localUrl(lab.lab.ports.traffic)}${path}`, { headers })).status;
}

/** As PostgreSQL's own clock has it: what recovery compares with. */
async function databaseNow(): Promise<string> {
  const [row] = await sqlOn<{ now: Date }>(lab.lab, 'primary', 'SELECT clock_timestamp() AS now');
  return row!.now.toISOString();
}

async function recoverInPlace(scenario: Scenario, ...more: string[]): Promise<RunRecord> {
  const answer = await lab.run(
    ...['recover', 'acme', '--to', 'primary', '--in-place', '--yes', '--scenario', scenario],
    ...['--on-failure', 'abort', '--reason', 'a test', '--json', ...more],
  );
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  return recordOf(answer);
}

const stateOf = (record: RunRecord, id: string): string | undefined =>
  record.steps.find((step) => step.id === id)?.state;

test.each([
  ['corruption', corruptRows, 'done'],
  ['human-error', deleteApis, 'not-part'],
] as const)(
  '%s is undone to just before it, work done since the backup included',
  async (scenario, damage, redis) => {
    await lab.expect('backup', 'acme');
    await sqlOn(lab.lab, 'primary', `UPDATE tyk_policies SET name = 'renamed for ${scenario}'`);
    const before = await definitions();
    const toTime = await databaseNow();
    await damage(lab.lab, 'primary');
    await expect.poll(() => client('/api-0/'), { timeout: 30_000 }).not.toBe(200);
    const record = await recoverInPlace(scenario, '--occurred', toTime, '--to-time', toTime);
    expect(await definitions()).toEqual(before);
    expect(stateOf(record, 'restore-database-data')).toBe('done');
    expect(stateOf(record, 'restore-redis-data')).toBe(redis);
    expect(stateOf(record, 'fence-source')).toBe('not-part');
    expect(record.witness!.failed).toBeGreaterThan(0);
    expect(await client('/api-0/')).toBe(200);
    expect(await client('/api-1/', 'probe-good')).toBe(200);
  },
);
