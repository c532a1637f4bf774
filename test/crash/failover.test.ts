import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import type { Finding } from '../../domain/doctor.ts';
import type { RunRecord } from '../../domain/run.ts';
import { killService, killSite } from '../../lab/break.ts';
import { compareJournal } from '../../lab/clients/journal.ts';
import { isFailure, parseWitness } from '../../lab/clients/witness.ts';
import { redisOf } from '../../lab/connections.ts';
import { outside, type SiteName } from '../../lab/layout.ts';
import { pidOf, start } from '../../lab/services.ts';
import { recordOf } from '../harness/lab.ts';
import { plantFaults } from '../harness/faults.ts';
import { sqlOn } from '../harness/sql.ts';
import { cellsOf, pointsOf, type Cell, type MoveName } from './matrix/cells.ts';
import { readStores } from './matrix/move-witnesses.ts';
import { Pair, soon } from './matrix/pair.ts';
import { playMove, type Besides } from './matrix/play-move.ts';
import { running } from './matrix/witnesses.ts';

/**
 * Two sites exchange their roles, over and over, while workers, stores and links die in the middle of it: a few cells of
 * the matrix (`npm run crash -- --scene graceful,forced,replicate` plays all), and what no cell can be.
 */

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.up();
});
afterAll(() => pair?.down());

function cellsNamed(scene: MoveName, ...names: string[]): Cell[] {
  const all = pointsOf(scene, () => true).flatMap((point) => cellsOf(point, [], 1));
  return names.map((name) => all.find((cell) => cell.name === `${scene}/${name}`)!);
}

async function expectRight(scene: MoveName, names: string[], besides: Besides = {}): Promise<void> {
  const { problems } = await playMove(pair, scene, cellsNamed(scene, ...names), besides);
  expect(problems).toEqual([]);
}

describe('workers and stores are killed', () => {
  test('while a standby takes over gracefully: one promotion, nothing lost, no request failed', async () => {
    const held = 'promote-database:hold';
    await expectRight('graceful', ['stop-writes:after', 'fence-source:before', 'promote-redis:after'], {
      faults: [held],
      meanwhile: async (over) => {
        await pair.keeper.comes(held, over);
        await killService(pair.lab.lab, `${pair.other}-postgres`);
        await pair.keeper.letGo(held);
      },
      get restarted() {
        return [`${pair.other}-postgres`];
      },
    });
  });

  test('while the old site is made to follow: one copy, one slot', async () => {
    const held = 'prove-replicas:hold';
    await expectRight('replicate', ['open-replication:after', 'copy-database:after', 'mark-standby:after'], {
      faults: [held],
      meanwhile: async (over) => {
        const service = `${pair.other}-redis`;
        await pair.keeper.comes(held, over);
        await killService(pair.lab.lab, service);
        await pair.keeper.letGo(held);
        // As whatever watches over the services of a host does.
        await start(pair.lab.lab, service);
      },
      get restarted() {
        return [`${pair.other}-redis`];
      },
    });
  });
});

describe('a part of it falls silent in the middle of a graceful failover', () => {
  test('the link of the standby: given up by itself, and the source is written to again', async () => {
    const held = 'stop-writes:hold';
    const { serving } = pair;
    const role = (login: string): Promise<unknown> =>
      sqlOn(
        pair.lab.lab,
        serving,
        `SET default_transaction_read_only = off; SET synchronous_commit = local; ALTER ROLE tyk_dr_replication ${login}`,
      );
    await expectRight('graceful', [], {
      ...{ faults: [held], outcome: 'FAILED_UNDONE', asks: true },
      meanwhile: async (over) => {
        await pair.keeper.comes(held, over);
        await role('NOLOGIN');
        await sqlOn(pair.lab.lab, serving, 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
        // Something that cannot come through: a client whose commit waits writes no more by itself.
        await sqlOn(
          pair.lab.lab,
          serving,
          `SET default_transaction_read_only = off; SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'test', 'behind')`,
        );
        await pair.keeper.letGo(held);
      },
      afterwards: async () => void (await role('LOGIN')),
    });
  });

  test('the worker of the source: nobody takes over without a word, and then the old site writes no more', async () => {
    const held = 'await-level:hold';
    const { serving: from } = pair;
    const worker = async (signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> =>
      void process.kill((await pidOf(pair.lab.lab, `worker-${from}`))!, signal);
    await expectRight('graceful', [], {
      ...{ faults: [held], outcome: 'RECOVERED_WITH_EXCEPTIONS', asks: true },
      meanwhile: async (over) => {
        await pair.keeper.comes(held, over);
        await worker('SIGSTOP');
        try {
          await pair.keeper.letGo(held);
          await until(({ steps }) => stateOf(steps, 'fence-source') === 'waiting');
          expect((await pair.markOf(pair.other))?.of).toBe(from);
          await expectNoWrites(from);
          await pair.lab.expect('confirm', 'acme', '--reason', 'the host is silent');
          await until(({ steps }) => stateOf(steps, 'prove-traffic') === 'done');
          await expectNoWrites(from);
        } finally {
          await worker('SIGCONT');
        }
      },
      // It comes back to a fence that waits for it.
      afterwards: async () =>
        void expect(await soon(async () => (await running(pair.lab, from)).length === 0)).toBe(true),
    });
  });
});

const stateOf = (steps: RunRecord['steps'], id: string) => steps.find((step) => step.id === id)?.state;

async function until(holds: (record: RunRecord) => boolean): Promise<void> {
  await expect
    .poll(
      async () => {
        const { stdout } = await pair.lab.run('status', 'acme', '--json');
        return holds(JSON.parse(stdout) as RunRecord);
      },
      { timeout: 60_000, interval: 200 },
    )
    .toBe(true);
}

/** Its stores run, and take nothing: the one refuses, the other holds back and then refuses. */
async function expectNoWrites(site: SiteName): Promise<void> {
  await expect(sqlOn(pair.lab.lab, site, 'CREATE TABLE second_writer (n int)')).rejects.toThrow(/read-only/);
  const taken = withRedis(await redisOf(pair.lab.lab, site), (client) => client.set('second-writer', '1'));
  const answer = await Promise.race([
    taken.then(
      () => 'taken',
      () => 'refused',
    ),
    new Promise((done) => setTimeout(() => done('held'), 1_000)),
  ]);
  expect(answer).not.toBe('taken');
}

test('the standby’s site is lost under load: only what was under way fails; writes that wait for it are said, and let go', async () => {
  const { lab, writer } = pair;
  if ((await pair.markOf(pair.other)) === undefined) {
    expect((await pair.run('replicate', true)).exitCode).toBeLessThanOrEqual(3);
    pair.moved('replicate');
  }
  const { serving, other } = pair;
  await writer.start(serving);
  await writer.acknowledged('postgres', 20);
  await killSite(lab.lab, other);
  // What had begun before was under way.
  const killedAt = new Date().toISOString();
  const doctor = async (): Promise<string> => {
    const { stdout } = await lab.run('doctor', 'acme', '--json');
    const [{ findings }] = (JSON.parse(stdout) as { deployments: [{ findings: Finding[] }] }).deployments;
    return findings.map(({ severity, where, message }) => `${severity} ${where}: ${message}`).join('\n');
  };
  const told = await doctor();
  expect(told).toContain(`error ${other}: redis not reachable`);
  expect(told).toContain(`error ${other}: database not reachable`);
  expect(told).toContain(`error ${serving}: WRITES STAND STILL`);
  expect((await lab.run('backup', 'status', 'acme')).stdout).toContain('WRITES STAND STILL');
  const change = (how: string) =>
    lab.run('replicate', 'acme', '--to', other, '--synchronous', how, '--reason', 'a test');
  expect((await change('on')).exitCode).toBe(10);
  expect(await change('off')).toMatchObject({ exitCode: 0 });
  await writer.acknowledged('postgres', 20);
  expect(await doctor()).not.toContain('STAND STILL');

  const text = await readFile(outside(lab.lab, 'witness', 'clients.jsonl'), 'utf8');
  const after = parseWitness(text).filter(({ at }) => at > killedAt);
  expect(after.length).toBeGreaterThan(20);
  expect(after.filter(isFailure)).toEqual([]);

  // It comes back as a standby that commits wait for, without a stop of the writes meanwhile.
  const back = await pair.run('replicate', true);
  expect(back.exitCode, back.stdout.slice(-2_000)).toBe(0);
  expect((await readStores(lab, serving)).standbys).toEqual([`tyk_dr_${other} sync`]);
  expect(await change('on')).toMatchObject({ exitCode: 0 });
  await writer.stop();
});

/** A run that comes to where it is held, and to its end there: whoever worked at it is gone as well. */
async function losesRun(
  scene: MoveName,
  held: string,
  comesTo: () => Promise<void> = async () => {},
): Promise<void> {
  const losing = pair.run(scene, false);
  expect(await pair.keeper.comes(held, new AbortController().signal)).toBe(true);
  await comesTo();
  await pair.lab.terminate('acme');
  expect((await losing).exitCode).toBe(13);
  await pair.keeper.killWorkers();
  await plantFaults(pair.faults, []);
}

test('a run that is lost while writes are held: the doctor says so, and a person gives them back', async () => {
  const { lab, writer } = pair;
  const held = 'await-level:hold';
  await pair.set('graceful', [held]);
  const { serving } = pair;
  await losesRun('graceful', held);
  await expectNoWrites(serving);
  const doctor = async (): Promise<string> => (await lab.run('doctor', 'acme', '--json')).stdout;
  expect(await doctor()).toContain('the database refuses writes: a graceful failover has stopped them');

  const told = await lab.expect('unfence', 'acme', serving, '--reason', 'the run is lost');
  expect(told).toBe(
    `${serving}: it was not fenced, Redis is written to again, the database is written to again, the Dashboard runs again`,
  );
  await writer.acknowledged('postgres', 20);
  await writer.acknowledged('redis', 20);
  expect(await doctor()).not.toContain('refuses writes');
  await writer.stop();
});

test('a run that is lost with one store promoted: the next one goes on from there, and loses nothing', async () => {
  const { lab, writer } = pair;
  const held = 'promote-database:hold';
  await pair.set('forced', [held]);
  const { other } = pair;
  await writer.acknowledged('postgres', 20);
  await pair.lose();
  await losesRun('forced', held, () => until(({ steps }) => stateOf(steps, 'promote-redis') === 'done'));
  await writer.stop();

  const record = recordOf(await pair.run('forced', true));
  expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
  const said = (id: string) => record.steps.find((step) => step.id === id)?.summary;
  expect(said('check-replicas')).toMatch(/^goes on where fo-\S+ was lost, which had taken command: /);
  expect(said('promote-redis')).toMatch(/^was a master already/);
  expect(said('promote-database')).toMatch(/^promoted in /);
  pair.moved('forced');
  expect(compareJournal(await writer.journal('postgres'), await writer.rows(other)).lost).toBe(0);

  // It has ended: what serves now is not taken over once more.
  const again = await lab.run(
    'failover',
    'acme',
    '--to',
    other,
    '--forced',
    '--json',
    '--reason',
    'a mistake',
  );
  expect(again.exitCode, again.stdout).toBe(10);
  expect(again.stdout).toContain('STANDBY_IS_ANOTHER');
});
