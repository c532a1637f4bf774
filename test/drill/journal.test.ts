import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryValue, withClient } from '../../adapters/postgres/client.ts';
import { serverStates } from '../../adapters/haproxy/runtime.ts';
import { compareJournal, type Store } from '../../lab/clients/journal.ts';
import { haproxySocket } from '../../lab/haproxy.ts';
import { GAP_SECONDS } from '../../domain/beacon.ts';
import type { StoreLoss } from '../../domain/loss.ts';
import type { RunRecord } from '../../domain/run.ts';
import { killService } from '../../lab/break.ts';
import { outside, siteDir } from '../../lab/layout.ts';
import { stop } from '../../lab/services.ts';
import { runScript, scriptEvents, scriptLogs } from '../harness/exported-script.ts';
import { eventually } from '../harness/gateway.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { Writer } from '../harness/writer.ts';
import { superuserOf } from '../../lab/connections.ts';

/**
 * The loss, counted from outside: a writer journals what the stores of the living site acknowledge, the site dies
 * under it, and what a recovery brings back is held against the journal.
 */

let lab: TestLab;
let writer: Writer;
/** Sets that were taken while the Dashboard's tables were not what they should be. */
const emptied = { noApis: '', othersApis: '' };
/** The highest numbers acknowledged before the RDB was asked for, and before the last segment was archived. */
const safe = { redis: 0, postgres: 0 };
let occurredAt: string;

beforeAll(async () => {
  lab = await TestLab.up();
  writer = new Writer(lab.lab);
  await writer.start('primary');
  await writer.acknowledged('postgres', 50);
  await writer.acknowledged('redis', 50);
  emptied.noApis = await setTakenWhile('DELETE FROM tyk_apis');
  emptied.othersApis = await setTakenWhile(`UPDATE tyk_apis SET org_id = 'another organisation'`);
  safe.redis = await writer.acknowledged('redis', 1);
  await lab.expect('backup', 'acme', '--full');
  await writer.acknowledged('redis', 100);
  safe.postgres = await writer.acknowledged('postgres', 100);
  await archiveNow();
  await writer.acknowledged('postgres', 50);
  // With its worker, its beacon and everything that lies on its disks: what was lost is known outside alone.
  await killService(lab.lab, 'worker-primary');
  await lab.destroyPrimary();
  occurredAt = new Date().toISOString();
  await rm(siteDir(lab.lab, 'primary'), { recursive: true, force: true });
  // A new host of the same name, with nothing on it: it says that the site is down.
  await lab.startWorker('primary');
});
afterAll(async () => {
  await writer?.kill();
  await lab?.down();
});

describe('a recovery that would bring up an empty Dashboard', () => {
  test.each([
    ['the database has no API', () => emptied.noApis, 'prove-database', 0],
    ['the Dashboard shows none of the organisation', () => emptied.othersApis, 'prove-dashboard', 1],
  ] as const)('is stopped before any Gateway starts, where %s', async (_why, set, step, dashboards) => {
    await lab.resetDr();
    const before = await lab.starts();
    const open = await servers();
    const answer = await lab.recover(
      ...['--backup', set(), '--scenario', 'corruption', '--occurred', occurredAt],
      ...['--on-failure', 'abort', '--json'],
    );
    expect(answer.exitCode, answer.stdout.slice(-2000)).toBe(12);
    const record = recordOf(answer);
    expect(record.steps.find(({ id }) => id === step)).toMatchObject({
      state: 'failed',
      error: { code: 'PROOF_FAILED' },
    });
    const after = await lab.starts();
    const started = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect([started('dr-gw1'), started('dr-gw2'), started('dr-pump')]).toEqual([0, 0, 0]);
    expect(started('dr-dashboard')).toBe(dashboards);
    if (dashboards > 0) {
      // The stores were back, from an old set: what that would have cost was measured before anybody gave up.
      const { from, to } = around.get(set())!;
      for (const { store, minMs, maxMs } of record.losses!) {
        const died = Date.parse((await writer.entries(WRITER[store])).at(-1)!.at);
        expect(minMs, store).toBeLessThanOrEqual(died - from + SECOND_MS);
        expect(maxMs, store).toBeGreaterThanOrEqual(died - to);
      }
      expect(record.losses!.map(({ store }) => store)).toEqual(['redis', 'database']);
    }
    expect(await servers()).toEqual(open);
  });
});

describe('what was acknowledged', () => {
  let record: RunRecord;
  beforeAll(async () => {
    await lab.resetDr();
    const answer = await lab.recover('--on-failure', 'abort', '--occurred', occurredAt, '--json');
    expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
    record = recordOf(answer);
  });

  test.each(['redis', 'database'] as const)(
    'and lost by the %s is measured as the writer counts it',
    async (store) => {
      const loss = record.losses!.find((each) => each.store === store)!;
      const found = store === 'redis' ? (await writer.keys('dr')).numbers : await writer.rows('dr');
      const recovered = new Set(found);
      const acked = await writer.entries(WRITER[store]);
      const died = Date.parse(acked.at(-1)!.at);
      // Somewhere between the last write that is there and the first one that is not, the recovered point lies.
      const lastThere = Date.parse(acked.findLast(({ seq }) => recovered.has(seq))!.at);
      const firstGone = Date.parse(acked.find(({ seq }) => !recovered.has(seq))!.at);
      expect(loss.minMs).toBeLessThanOrEqual(died - lastThere + SECOND_MS);
      expect(loss.maxMs).toBeGreaterThanOrEqual(died - firstGone);
      // No wider than a beat that came late on each side, or a gap that is told, and the time until somebody said so.
      const spare = Math.max(0, Date.parse(occurredAt) - died) + stalls(loss);
      const beats = 2 * (GAP_SECONDS + 1) * SECOND_MS;
      expect(loss.maxMs! - loss.minMs!).toBeLessThanOrEqual(beats + spare);
      expect(loss).toMatchObject({ holes: 0 });
      // As long as a beat may be late on either side, there may be none between the two.
      if (died - firstGone > beats + stalls(loss)) expect(loss.lost).toBeGreaterThan(0);
    },
  );

  test('by PostgreSQL is there, without a hole, up to the last archived segment at least', async ({
    annotate,
  }) => {
    const comparison = compareJournal(await writer.journal('postgres'), await writer.rows('dr'));
    await annotate(await loss('postgres', comparison));
    expect(comparison.holes).toEqual([]);
    expect(comparison.lastRecovered).toBeGreaterThanOrEqual(safe.postgres);
    // Killed in the middle of writing, it did lose something: the comparison can see a loss.
    expect(comparison.lost).toBeGreaterThan(0);
  });

  test('by Redis is there, without a hole, up to the backup at least', async ({ annotate }) => {
    const { numbers, highest } = await writer.keys('dr');
    const comparison = compareJournal(await writer.journal('redis'), numbers);
    await annotate(await loss('redis', comparison));
    expect(comparison.holes).toEqual([]);
    expect(comparison.lastRecovered).toBeGreaterThanOrEqual(safe.redis);
    expect(comparison.lost).toBeGreaterThanOrEqual(100);
    // Both keys of a write are in one transaction: the snapshot has both or neither.
    expect(highest).toBe(comparison.lastRecovered);
  });

  test('later, by the recovered site, goes on from there and is kept', async () => {
    await writer.stop();
    const before = Math.max(...(await writer.journal('postgres')), ...(await writer.journal('redis')));
    await writer.start('dr');
    await writer.acknowledged('postgres', 50);
    await writer.acknowledged('redis', 50);
    await writer.stop();
    const since = async (store: Store): Promise<number[]> =>
      (await writer.journal(store)).filter((seq) => seq > before);
    const [postgres, redis] = [await since('postgres'), await since('redis')];
    expect(Math.min(postgres.length, redis.length)).toBeGreaterThanOrEqual(50);
    expect(await writer.rows('dr')).toEqual(expect.arrayContaining(postgres));
    expect((await writer.keys('dr')).numbers).toEqual(expect.arrayContaining(redis));
  });
});

describe('with Temporal and the workers gone, the exported script', () => {
  const SCRIPT = ['--reason', 'nothing of tyk-dr answers', '--fence-here'];
  beforeAll(async () => {
    await lab.resetDr();
    for (const name of ['worker-dr', 'worker-primary', 'temporal']) await stop(lab.lab, name);
  });

  test.each([
    ['a flipped bit in an object', 'redis.zst.age', 'damaged'],
    ['a manifest that somebody has changed', 'manifest.json', 'not signed by a trusted key, or was changed'],
  ])('refuses %s before anything changes', async (_what, file, said) => {
    const copy = await mkdtemp('/var/tmp/tyk-dr-test-copy-');
    try {
      const [set] = (await sets()).slice(-1);
      await cp(outside(lab.lab, 'sets', 'acme', set!), join(copy, 'acme', set!), { recursive: true });
      const bytes = await readFile(join(copy, 'acme', set!, file));
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(join(copy, 'acme', set!, file), bytes);
      const before = await lab.starts();
      const refused = await runScript(lab.lab, [...SCRIPT, '--set', set!, '--repository', copy, '--new']);
      expect(refused.exitCode, refused.said).toBe(10);
      expect(refused.said).toContain(said);
      expect(await lab.starts()).toEqual(before);
      expect(existsSync(siteDir(lab.lab, 'dr', 'state', 'epoch.json'))).toBe(false);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });

  test('killed in each store’s restore, goes on, does nothing twice, and proves the same', async ({
    annotate,
  }) => {
    // Two runs of one second have names that sort by chance: the newest is the one that was begun last.
    const older = join(scriptLogs(lab.lab), 'rec-99991231-235959-ffff.jsonl');
    await writeFile(older, `${JSON.stringify({ event: 'begin', run: 'rec-older', epoch: 1 })}\n`);
    const before = await lab.starts();
    const began = (step: string) => async (): Promise<boolean> =>
      (await scriptEvents(lab.lab)).some(({ event, step: of }) => event === 'start' && of === step);
    const command = [...SCRIPT, '--new', '--occurred', occurredAt];
    const first = await runScript(lab.lab, command, began('restore-redis-data'));
    expect(first.exitCode, first.said).toBeNull();
    const data = siteDir(lab.lab, 'dr', 'postgres');
    const replaying = async (): Promise<boolean> =>
      (await readdir(data)).some((name) => /^data\.tyk-dr-new-rec-[\d-]+-[0-9a-f]{4}\.log$/.test(name));
    const second = await runScript(
      lab.lab,
      command.filter((each) => each !== '--new'),
      replaying,
    );
    expect(second.exitCode, second.said).toBeNull();
    const end = await runScript(
      lab.lab,
      command.filter((each) => each !== '--new'),
    );
    // Only tyk-dr can read the beacon: what a script recovers is never plain RECOVERED.
    expect(end.exitCode, end.said).toBe(3);
    expect(end.said).toContain('RECOVERED_WITH_EXCEPTIONS: acme, from primary to dr');
    expect(end.said).toContain('the loss of the stores was not measured');

    const after = await lab.starts();
    const started = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(started.sort()).toEqual([
      'dr-dashboard',
      'dr-gw1',
      'dr-gw2',
      'dr-postgres',
      'dr-pump',
      'dr-redis',
    ]);
    expect(started.map((name) => after[name]! - (before[name] ?? 0))).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await servers()).toEqual(['dr-gw1', 'dr-gw2']);
    for (const [store, found, atLeast] of [
      ['postgres', await writer.rows('dr'), safe.postgres],
      ['redis', (await writer.keys('dr')).numbers, safe.redis],
    ] as const) {
      const comparison = compareJournal(await writer.journal(store), found);
      await annotate(await loss(store, comparison));
      expect(comparison.holes).toEqual([]);
      expect(comparison.lastRecovered).toBeGreaterThanOrEqual(atLeast);
    }
  });

  test('leaves a log that the history takes, whole and unchanged only', async () => {
    const events = await scriptEvents(lab.lab);
    const run = String(events[0]!['run']);
    const file = outside(lab.lab, 'sets', 'acme', 'runs', `${run}.jsonl`);
    const text = await readFile(file, 'utf8');
    const edited = outside(lab.lab, 'edited.jsonl');
    await writeFile(edited, text.replace('"nothing of tyk-dr answers"', '"a rehearsal"'));
    const refused = await lab.run('import-run', edited);
    expect(refused.exitCode).toBe(10);
    expect(refused.stderr).toContain('the line before line 2 was changed or taken out');
    await lab.expect('import-run', file);
    const record = JSON.parse(await lab.expect('report', run, '--format', 'json')) as RunRecord;
    expect(record).toMatchObject({ run, outcome: 'RECOVERED_WITH_EXCEPTIONS', from: 'primary', to: 'dr' });
    expect(record.exceptions.join()).toContain('asserted by its log');
    expect(record.steps.find(({ id }) => id === 'restore-database-data')).toMatchObject({
      state: 'done',
      calls: 2,
    });
    expect(record.proofs.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
    expect(record.alarms.filter(({ text: told }) => told.includes('interrupted')).length).toBe(2);
  });

  test('is refused where a newer run commands the target', async () => {
    await writeFile(
      siteDir(lab.lab, 'dr', 'state', 'epoch.json'),
      '{"epoch":9999999999999,"run":"rec-newer"}',
    );
    const refused = await runScript(lab.lab, SCRIPT);
    expect(refused.exitCode, refused.said).toBe(10);
    expect(refused.said).toContain('is no longer in command of dr: epoch 9999999999999 (rec-newer) is');
  });
});

const SECOND_MS = 1000;
const WRITER = { redis: 'redis', database: 'postgres' } as const;
/** Between which moments each damaged set was taken, Unix milliseconds. */
const around = new Map<string, { from: number; to: number }>();

/** Where a busy machine kept the beacon from writing, the journal says so, and the range is as much wider. */
const stalls = ({ gaps = [] }: StoreLoss): number =>
  gaps.reduce((sum, { after, before }) => sum + (before - after) * SECOND_MS, 0);

const sets = async (): Promise<string[]> =>
  (await readdir(outside(lab.lab, 'sets', 'acme'))).filter((name) => /^\d{8}T/.test(name)).sort();

/** Which servers clients may reach, as far as it is up to us. */
const servers = async (): Promise<string[]> =>
  (await serverStates(haproxySocket(lab.lab), 'gateways')).flatMap(({ name, admin }) =>
    admin === 'maint' ? [] : [name],
  );
/** A set whose tables of APIs are damaged; the site gets them back. @returns its id. */
async function setTakenWhile(damage: string): Promise<string> {
  return withClient(await superuserOf(lab.lab, 'primary'), async (client) => {
    // A table of somebody else, which the Dashboard's user may not read: no concern of a recovery.
    await client.query('CREATE TABLE kept AS TABLE tyk_apis');
    await client.query(damage);
    const from = Date.now();
    const said = await lab.expect('backup', 'acme', '--no-verify');
    await client.query('DELETE FROM tyk_apis');
    await client.query('INSERT INTO tyk_apis SELECT * FROM kept');
    await client.query('DROP TABLE kept');
    const set = /\d{8}T\d{6}Z-[0-9a-f]{4}/.exec(said)![0];
    around.set(set, { from, to: Date.now() });
    return set;
  });
}

async function archiveNow(): Promise<void> {
  await withClient(await superuserOf(lab.lab, 'primary'), async (client) => {
    const segment = await queryValue<string>(client, 'SELECT pg_walfile_name(pg_switch_wal())');
    await eventually(async () => {
      const last = await queryValue<string>(client, 'SELECT last_archived_wal FROM pg_stat_archiver');
      expect(last >= segment).toBe(true);
    }, 60_000);
  });
}

/** What an incident review asks: how many writes, and how much time. */
async function loss(store: Store, comparison: ReturnType<typeof compareJournal>): Promise<string> {
  const { lost, lastRecovered, lastAcknowledged } = comparison;
  const at = async (seq: number | null): Promise<number> =>
    Date.parse((await writer.entries(store)).find((entry) => entry.seq === seq)?.at ?? '');
  const seconds = ((await at(lastAcknowledged)) - (await at(lastRecovered))) / 1000;
  return `${store} lost ${lost} acknowledged writes, the last ${seconds.toFixed(1)} s`;
}
