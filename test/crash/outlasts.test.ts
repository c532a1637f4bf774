import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunRecord } from '../../domain/run.ts';
import { lockId } from '../../domain/messages.ts';
import { killService } from '../../lab/break.ts';
import { siteDir } from '../../lab/layout.ts';
import { stop } from '../../lab/services.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { readWitnesses, since } from './matrix/witnesses.ts';

/**
 * Two processes of one name on a host share the work, and one goes on where the other ends; so does a run whose Temporal
 * server is killed. What happened is
 * counted by witnesses outside our own bookkeeping: process starts, pgBackRest's log, HAProxy's log.
 */

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
  await lab.destroyPrimary();
});
afterAll(() => lab?.down());
beforeEach(() => lab.resetDr());

const WORKER = 'worker-dr';
const SERVICES = ['dr-redis', 'dr-postgres', 'dr-dashboard', 'dr-gw1', 'dr-gw2', 'dr-pump'];

/** Runs a recovery while `disturb` does its worst; checks what must hold whatever it did. */
async function recoverThrough(disturb: () => Promise<void>): Promise<RunRecord> {
  const before = await readWitnesses(lab);
  // A step that cannot go on must end the test, not wait for a person who is not there.
  const [answer] = await Promise.all([lab.recover('--json', '--on-failure', 'abort'), disturb()]);
  expect(answer.exitCode, answer.stdout.slice(-2_000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  expect(record.outcome).toBe('RECOVERED');
  const happened = since(before, await readWitnesses(lab));
  for (const service of SERVICES) expect(happened.starts[service], `starts of ${service}`).toBe(1);
  expect(happened.switches).toEqual({
    'dr-gw1 in': 1,
    'dr-gw2 in': 1,
    'primary-gw1 out': 1,
    'primary-gw2 out': 1,
  });
  return record;
}

describe('two workers of one name on a host', () => {
  test('share the steps, and the one goes on when the other is killed in the middle of a restore', async () => {
    await lab.restartWorker('dr');
    await lab.startTwin('dr');
    let killed = '';
    const record = await recoverThrough(async () => {
      await databaseRestoreBegins();
      killed = await identityAt('restore-database-data');
      process.kill(pidIn(killed), 'SIGKILL');
    });
    const identities = await identitiesOf(record);
    expect(identities.size, [...identities].join(', ')).toBe(2);
    expect(identities).toContain(killed);
    const row = record.steps.find(({ id }) => id === 'restore-database-data')!;
    expect(row.calls).toBe(2);
    await lab.stopTwin('dr');
  });

  test('one that is told to stop ends what it can, hands over the rest, and says so', async () => {
    await lab.restartWorker('dr');
    // It comes back when there is something to take over.
    await stop(lab.lab, WORKER);
    const leaving = await lab.runTwin('dr');
    let said = '';
    const record = await recoverThrough(async () => {
      await databaseRestoreBegins();
      leaving.kill('SIGTERM');
      await until(async () => (await leaving.said()).includes('takes no more work'));
      leaving.kill('SIGTERM');
      await lab.revive(WORKER);
      const end = await leaving.end;
      expect(end).toEqual({ code: 0, signal: null });
      said = await leaving.said();
    });
    expect(said).toMatch(/SIGTERM: takes no more work; waits up to 10 s for .*restore-database-data of rec-/);
    expect(said).toMatch(
      /handed over: .*restore-database-data of rec-.*; the next worker looks how far it came/,
    );
    expect(said.trimEnd()).toMatch(/worker dr has stopped$/);
    expect(record.decisions).toEqual([]);
  });
});

test('a recovery goes on when the Temporal server is killed and started again', async () => {
  await lab.restartWorker('dr');
  await recoverThrough(async () => {
    await databaseRestoreBegins();
    await killService(lab.lab, 'temporal');
    await lab.revive('temporal');
  });
});

async function databaseRestoreBegins(): Promise<void> {
  const folder = siteDir(lab.lab, 'dr', 'postgres');
  await until(async () => (await readdir(folder)).some((name) => name.startsWith('data.tyk-dr-new')));
}

/** The worker that has taken a step of the run that is under way. */
async function identityAt(step: string): Promise<string> {
  let found = '';
  await until(async () => {
    const { raw } = await lab.withClient((client) => client.workflow.getHandle(lockId('acme')).describe());
    const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === step);
    return (found = pending?.lastWorkerIdentity ?? '') !== '';
  });
  return found;
}

const pidIn = (identity: string): number => Number(/@(\d+) /.exec(identity)![1]);

/** The workers of the dr site that have worked on the newest run. */
async function identitiesOf(record: RunRecord): Promise<Set<string>> {
  expect(record.outcome).toBe('RECOVERED');
  const { events } = await lab.withClient((client) =>
    client.workflow.getHandle(lockId('acme')).fetchHistory(),
  );
  const all = (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.identity ?? '');
  return new Set(all.filter((identity) => identity.startsWith('dr@')));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 120_000, interval: 10 }).toBe(true);
}
