import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunRecord } from '../../domain/run.ts';
import { killService } from '../../lab/break.ts';
import { siteDir } from '../../lab/layout.ts';
import { recordOf, TestLab } from '../harness/lab.ts';

/**
 * A recovery survives kill -9 at any step with nothing done twice. What happened is counted by witnesses outside
 * our own bookkeeping: process starts, pgBackRest's log, HAProxy's states.
 */

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
  await lab.destroyPrimary();
});
afterAll(() => lab.down());
beforeEach(() => lab.resetDr());

const SERVICES = ['dr-redis', 'dr-postgres', 'dr-dashboard', 'dr-gw1', 'dr-gw2', 'dr-pump'];

/** Runs a recovery while `disturb` does its worst, reviving what it killed; checks what must hold whatever it did. */
async function recoverThrough(
  disturb: () => Promise<void>,
): Promise<{ record: RunRecord; restores: number }> {
  const before = await lab.starts();
  const [answer] = await Promise.all([lab.recover('--json'), disturb()]);
  expect(answer.exitCode, answer.stdout.slice(-2_000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  expect(record.outcome).toBe('RECOVERED');
  const after = await lab.starts();
  for (const service of SERVICES)
    expect((after[service] ?? 0) - (before[service] ?? 0), `${service} was started`).toBe(1);
  return { record, restores: await countRestores() };
}

async function countRestores(): Promise<number> {
  const folder = siteDir(lab.lab, 'dr', 'postgres', 'log', 'restore');
  let count = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    count += (await readFile(join(folder, name), 'utf8')).split('restore command begin').length - 1;
  }
  return count;
}

async function untilExists(path: string): Promise<void> {
  await expect
    .poll(
      () =>
        access(path).then(
          () => true,
          () => false,
        ),
      { timeout: 60_000, interval: 20 },
    )
    .toBe(true);
}

/** Kills the dr worker at a point of a step, and starts it again once it is dead. */
async function killWorkerAt(step: string, moment: 'before' | 'after'): Promise<() => Promise<void>> {
  const marker = join(lab.lab.dir, `fault-${step}-${moment}-${Date.now()}`);
  await lab.restartWorker('dr', { TYK_DR_FAULT: `${step}:${moment}`, TYK_DR_FAULT_MARKER: marker });
  return async () => {
    await untilExists(marker);
    await lab.revive('worker-dr');
  };
}

describe('a recovery whose worker is killed', () => {
  test.each([
    ['restore-redis-data', 'before'],
    ['restore-redis-data', 'after'],
    ['restore-database-data', 'after'],
    ['start-gateways', 'before'],
    ['start-gateways', 'after'],
    ['switch-traffic', 'before'],
    ['switch-traffic', 'after'],
  ] as const)('at %s, %s its effect, resumes by itself and does nothing twice', async (step, moment) => {
    const restoresBefore = await countRestores();
    const disturb = await killWorkerAt(step, moment);
    const { record, restores } = await recoverThrough(disturb);
    expect(restores - restoresBefore).toBe(1);
    expect(record.steps.find((row) => row.id === step)!.calls).toBeGreaterThan(1);
  });

  test('in the middle of the database restore, resumes with what is there', async () => {
    await lab.restartWorker('dr');
    const data = siteDir(lab.lab, 'dr', 'postgres');
    const { record } = await recoverThrough(async () => {
      await expect
        .poll(async () => (await readdir(data)).some((name) => name.startsWith('data.tyk-dr-new')), {
          timeout: 60_000,
          interval: 5,
        })
        .toBe(true);
      // Somewhere in the half second of the file copy.
      await sleep(Math.random() * 600);
      await killService(lab.lab, 'worker-dr');
      await lab.revive('worker-dr');
    });
    expect(
      record.proofs
        .filter((proof) => proof.step === 'restore-database-data')
        .every((proof) => proof.verdict === 'pass'),
    ).toBe(true);
  });
});

test('a recovery goes on when the Temporal server is killed and started again', async () => {
  await lab.restartWorker('dr');
  const data = siteDir(lab.lab, 'dr', 'postgres');
  await recoverThrough(async () => {
    await expect
      .poll(async () => (await readdir(data)).some((name) => name.startsWith('data.tyk-dr-new')), {
        timeout: 60_000,
        interval: 5,
      })
      .toBe(true);
    await killService(lab.lab, 'temporal');
    await lab.revive('temporal');
  });
});
