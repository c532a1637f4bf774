import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { serverStates } from '../../adapters/haproxy/runtime.ts';
import type { RunRecord } from '../../domain/run.ts';
import { lockId } from '../../domain/messages.ts';
import { killService } from '../../lab/break.ts';
import { haproxySocket } from '../../lab/haproxy.ts';
import { siteDir } from '../../lab/layout.ts';
import { stop } from '../../lab/services.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { countRestores } from '../harness/postgres-scene.ts';

/**
 * A recovery survives kill -9 at any step with nothing done twice. What happened is counted by witnesses outside
 * our own bookkeeping: process starts, pgBackRest's log, HAProxy's log.
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

/** How often things really happened. */
interface Witnesses {
  readonly starts: Readonly<Record<string, number>>;
  readonly restores: number;
  /** By server: how often HAProxy let traffic in, and kept it out. */
  readonly switches: Readonly<Record<string, number>>;
}

async function witnesses(): Promise<Witnesses> {
  const switches: Record<string, number> = {};
  const changes =
    /^Server gateways\/(\S+) (is UP\/READY \(leaving|is going DOWN for|was DOWN and now enters) /gm;
  for (const [, server, way] of (await lab.readLog('haproxy')).matchAll(changes)) {
    const change = `${server} ${way!.startsWith('is UP') ? 'in' : 'out'}`;
    switches[change] = (switches[change] ?? 0) + 1;
  }
  return {
    starts: await lab.starts(),
    restores: await countRestores(siteDir(lab.lab, 'dr', 'postgres', 'log')),
    switches,
  };
}

function since(before: Witnesses, after: Witnesses): Witnesses {
  const more = (now: Readonly<Record<string, number>>, then: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(now)
        .map(([name, count]) => [name, count - (then[name] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    );
  return {
    starts: more(after.starts, before.starts),
    restores: after.restores - before.restores,
    switches: more(after.switches, before.switches),
  };
}

/** Runs a recovery while `disturb` does its worst, reviving what it killed; checks what must hold whatever it did. */
async function recoverThrough(
  disturb: () => Promise<void>,
  revived: readonly string[] = [WORKER],
): Promise<{ record: RunRecord; happened: Witnesses }> {
  const before = await witnesses();
  const over = new AbortController();
  // A step that cannot go on must end the test, not wait for a person who is not there.
  const recovery = lab.recover('--json', '--on-failure', 'abort').finally(() => over.abort());
  const [answer] = await Promise.all([
    recovery,
    disturb(),
    ...revived.map((name) => keepAlive(name, over.signal)),
  ]);
  expect(answer.exitCode, answer.stdout.slice(-2_000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  expect(record.outcome).toBe('RECOVERED');
  const happened = since(before, await witnesses());
  for (const service of SERVICES) expect(happened.starts[service], `starts of ${service}`).toBe(1);
  expect(happened.switches).toEqual({
    'dr-gw1 in': 1,
    'dr-gw2 in': 1,
    'primary-gw1 out': 1,
    'primary-gw2 out': 1,
  });
  return { record, happened };
}

/** What stands for the host: a worker that is gone is started again. */
async function keepAlive(name: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await lab.revive(name);
    await sleep(100, undefined, { signal }).catch(() => undefined);
  }
}

/** The dr worker will die at these points of its steps, once at each. Returns which it came to. */
async function armWorker(...faults: readonly string[]): Promise<() => Promise<string[]>> {
  const marker = join(lab.lab.dir, `fault-${Date.now()}`);
  await lab.restartWorker('dr', { TYK_DR_FAULT: faults.join(','), TYK_DR_FAULT_MARKER: marker });
  return async () => {
    const come = await Promise.all(faults.map((fault) => exists(`${marker}-${fault}`)));
    return faults.filter((_, index) => come[index]);
  };
}

const nothing = (): Promise<void> => Promise.resolve();

describe('a recovery whose worker is killed resumes by itself and does nothing twice', () => {
  test('at a restore, a service start and the traffic switch, before the effect', async () => {
    const faults = [
      'restore-database-data:before',
      'start-dashboard:before',
      'start-gateways:before',
      'switch-traffic:before',
    ];
    const died = await armWorker(...faults);
    const { happened } = await recoverThrough(nothing);
    expect(await died()).toEqual(faults);
    expect(happened.starts[WORKER]).toBe(faults.length);
    expect(happened.restores).toBe(1);
  });

  test('at the same, after the effect and before anybody heard of it', async () => {
    const faults = [
      'restore-database-data:after',
      'start-database:after',
      'start-gateways:after',
      'switch-traffic:after',
    ];
    const died = await armWorker(...faults);
    const { record, happened } = await recoverThrough(nothing);
    expect(await died()).toEqual(faults);
    expect(happened.starts[WORKER]).toBe(faults.length);
    expect(happened.restores).toBe(1);
    // Each was looked at, and found done.
    for (const fault of faults)
      expect(record.steps.find(({ id }) => id === fault.split(':')[0])!.calls, fault).toBeGreaterThan(1);
  });

  test('at the same, with the effect half done or done and not yet written down', async () => {
    const faults = ['restore-redis-data:ledger', 'restore-database-data:ledger'];
    const died = await armWorker(...faults);
    const { happened } = await recoverThrough(async () => {
      const before = (await lab.starts())['dr-gw1'] ?? 0;
      await until(async () => ((await lab.starts())['dr-gw1'] ?? 0) > before);
      await killWorker();
      await until(async () => !(await inMaintenance()).has('dr-gw1'));
      await killWorker();
    });
    expect(await died()).toEqual(faults);
    // Once the redis step died, once the database's own; its files were whole, and pgBackRest only compared them.
    expect(happened.restores).toBeLessThanOrEqual(3);
  });

  test('in the middle of the file copy, and goes on with what is there', async () => {
    await lab.restartWorker('dr');
    const { record } = await recoverThrough(async () => {
      await databaseRestoreBegins();
      // Somewhere in the half second of the file copy.
      await sleep(Math.random() * 600);
      await killService(lab.lab, WORKER);
    });
    const proofs = record.proofs.filter((proof) => proof.step === 'restore-database-data');
    expect(proofs.map(({ verdict }) => verdict)).toEqual(proofs.map(() => 'pass'));
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

describe('two workers of one name on a host', () => {
  test('share the steps, and the one goes on when the other is killed in the middle of a restore', async () => {
    await lab.restartWorker('dr');
    await lab.startTwin('dr');
    let killed = '';
    const { record } = await recoverThrough(async () => {
      await databaseRestoreBegins();
      killed = await identityAt('restore-database-data');
      process.kill(pidIn(killed), 'SIGKILL');
    }, []);
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
    const { record } = await recoverThrough(async () => {
      await databaseRestoreBegins();
      leaving.kill('SIGTERM');
      await until(async () => (await leaving.said()).includes('takes no more work'));
      leaving.kill('SIGTERM');
      await lab.revive(WORKER);
      const end = await leaving.end;
      expect(end).toEqual({ code: 0, signal: null });
      said = await leaving.said();
    }, []);
    expect(said).toMatch(/SIGTERM: takes no more work; waits up to 10 s for .*restore-database-data of rec-/);
    expect(said).toMatch(
      /handed over: .*restore-database-data of rec-.*; the next worker looks how far it came/,
    );
    expect(said.trimEnd()).toMatch(/worker dr has stopped$/);
    expect(record.decisions).toEqual([]);
  });
});

/** One that is just being started again is killed once it is there. */
function killWorker(): Promise<void> {
  return until(async () => (await killService(lab.lab, WORKER)) === WORKER);
}

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

async function inMaintenance(): Promise<Set<string>> {
  const states = await serverStates(haproxySocket(lab.lab), 'gateways');
  return new Set(states.filter(({ maintenance }) => maintenance).map(({ name }) => name));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 120_000, interval: 10 }).toBe(true);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
