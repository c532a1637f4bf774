import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { withClient } from '../../adapters/postgres/client.ts';
import type { Finding } from '../../domain/doctor.ts';
import type { RunRecord } from '../../domain/run.ts';
import type { HistoryEntry } from '../../report/history.ts';
import type { Standing } from '../../domain/standing.ts';
import { lockId } from '../../domain/messages.ts';
import { killService } from '../../lab/break.ts';
import { configFile, outside, siteDir } from '../../lab/layout.ts';
import { start, stop } from '../../lab/services.ts';
import { plantFaults } from '../harness/faults.ts';
import { jsonLines, recordOf, TestLab, type Answer } from '../harness/lab.ts';
import { superuserOf } from '../../lab/connections.ts';

/** What whoever sits at the command line is told: without workers, without Temporal, in the middle of things. */

const PROGRAM = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
});
afterAll(() => lab.down());

/** The promise of the product for every 'nobody is there'. */
const ANSWER_WITHIN_MS = 10_000;

async function quickly(...args: readonly string[]): Promise<Answer> {
  const startedAt = performance.now();
  const answer = await lab.run(...args);
  expect(performance.now() - startedAt, args.join(' ')).toBeLessThan(ANSWER_WITHIN_MS);
  return answer;
}

interface Watching {
  readonly said: () => string;
  readonly signal: (name: NodeJS.Signals) => void;
  readonly ended: Promise<number | null>;
}

/** A command that goes on while the test does something. */
function watching(...args: readonly string[]): Watching {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, TYK_DR_CONFIG: configFile(lab.lab) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  return {
    said: () => said,
    signal: (name) => child.kill(name),
    ended: new Promise((resolve) => child.once('close', resolve)),
  };
}

async function sql(text: string): Promise<void> {
  const connection = await superuserOf(lab.lab, 'primary', 'postgres');
  await withClient(connection, (client) => client.query(text));
}

describe('before the first backup', () => {
  test('there is no set, said alike in text and as JSON', async () => {
    const text = await lab.run('backup', 'list', 'acme');
    expect(text).toMatchObject({ exitCode: 10, stdout: '' });
    expect(text.stderr).toContain('next: tyk-dr backup acme');
    const json = await lab.run('backup', 'list', 'acme', '--json');
    expect(json).toMatchObject({ exitCode: 10, stderr: text.stderr });
    expect(JSON.parse(json.stdout)).toEqual({ version: 1, sets: [], snapshots: [] });
  });

  test('a site that archives nowhere is enrolled, and told the two lines that it lacks', async () => {
    await rm(siteDir(lab.lab, 'primary', 'postgres', 'pgbackrest.conf'));
    await rm(outside(lab.lab, 'pgbackrest', 'primary-1'), { recursive: true });
    const settings = siteDir(lab.lab, 'primary', 'postgres', 'etc', 'postgresql.conf');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace(/^archive_command = .*$/m, "archive_command = '/bin/true'"));
    await sql('SELECT pg_reload_conf()');
    const refused = await lab.run('backup', 'acme');
    expect(refused.exitCode, refused.stderr).toBe(10);
    const [lines] = /^archive_mode = on\narchive_command = '.*'$/m.exec(refused.stderr)!;
    await writeFile(settings, `${text}${lines}\n`);
    await sql('SELECT pg_reload_conf()');
    const made = await lab.run('backup', 'acme');
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stdout).toContain('complete and verified by a restore');
    // One line for each step that ended, while it ran.
    for (const step of ['find-live-site', 'back-up-database', 'back-up-redis', 'seal-set', 'verify-set'])
      expect(made.stderr).toMatch(new RegExp(`^ {2}\\+ ${step} `, 'm'));
    expect(await readdir(outside(lab.lab, 'pgbackrest'))).toContain('primary-1');
  });

  test('the list has a line for each set, with its age and size', async () => {
    const [heading, row] = (await lab.expect('backup', 'list', 'acme')).split('\n');
    expect(heading).toMatch(/^SET +STATE +SITE +TAKEN AT +AGE +SIZE +PROVEN +WHERE +HELD$/);
    expect(row).toMatch(/^\S+Z-\w+ +verified +primary +\S+Z +.* s +[\d.]+ [kM]B \+ database of \d+/);
  });

  test('with the set, a recovery has all that it needs, and every store is within its RPO', async () => {
    const doctor = await lab.run('doctor', 'acme');
    expect(doctor.exitCode, doctor.stdout).toBe(0);
    expect(doctor.stdout).toMatch(/^acme: ready to be recovered \(0 errors, /);
    const status = await lab.run('backup', 'status', 'acme', '--json');
    expect(status.exitCode, status.stdout).toBe(0);
    const { deployments } = JSON.parse(status.stdout) as { deployments: { stores: Standing[] }[] };
    expect(deployments[0]!.stores).toMatchObject([
      { store: 'redis', state: 'in bounds', bytes: {}, durationMs: {} },
      { store: 'database', basis: expect.stringMatching(/^(WAL archived until|verified set) /) as string },
      { store: 'config', basis: expect.stringMatching(/^unchanged since verified set /) as string },
    ]);
  });
});

describe('a backup', () => {
  test('that is under way is named, and can be left and come back to', async () => {
    const first = watching('backup', 'acme');
    await expect.poll(first.said, { timeout: 60_000 }).toContain('find-live-site');
    const second = await quickly('backup', 'prune', 'acme');
    expect(second.exitCode).toBe(11);
    expect(second.stderr).toMatch(/a backup of acme is already under way: bak-\d{8}-\d{6}-/);
    expect(second.stderr).toContain('next: tyk-dr backup watch acme');
    first.signal('SIGINT');
    expect(await first.ended).toBe(130);
    expect(first.said()).toContain('Come back with: tyk-dr backup watch acme');
    expect(await lab.expect('backup', 'watch', 'acme')).toContain('complete and verified by a restore');
  });

  test('whose worker is lost ends with its queue and what to type, not as a bug', async () => {
    const folder = join(lab.lab.dir, 'faults');
    await plantFaults(folder, ['back-up-redis:before']);
    await lab.restartWorker('primary', { TYK_DR_FAULT_DIR: folder });
    const answer = await lab.run('backup', 'acme', '--site', 'primary');
    await lab.restartWorker('primary');
    expect(answer.exitCode, answer.stderr).toBe(10);
    expect(answer.stderr).toContain('no worker answers on the task queue tyk-dr.primary');
    expect(answer.stderr).toContain('next: tyk-dr worker primary');
  });
});

describe('without workers', () => {
  test('a lost site may lack its own, and a worker with another file says which', async () => {
    await stop(lab.lab, 'worker-dr');
    const one = await lab.run('backup', 'prune', 'acme', '--dry-run');
    expect(one.exitCode, one.stderr).toBe(0);
    expect(one.stderr).toContain('no worker answers on the task queue tyk-dr.dr; going on without its site');
    const path = configFile(lab.lab);
    const text = await readFile(path, 'utf8');
    const config = parse(text) as { deployments: Record<string, unknown> };
    await writeFile(path, stringify({ ...config, deployments: { other: config.deployments['acme'] } }));
    await lab.restartWorker('dr');
    await writeFile(path, text);
    const other = await lab.recover();
    expect(other.exitCode).toBe(10);
    expect(other.stderr).toContain("the worker dr says: no deployment 'acme'");
  });

  test.each([
    ['backup', 'acme'],
    ['backup', 'verify', 'acme'],
    ['backup', 'prune', 'acme'],
    ['recover', 'acme', '--to', 'dr', '--reason', 'x'],
  ])('%j %j says within ten seconds which one to start', async (...args) => {
    await stop(lab.lab, 'worker-primary');
    await stop(lab.lab, 'worker-dr');
    const answer = await quickly(...args);
    expect(answer.exitCode, answer.stderr).toBe(10);
    expect(answer.stderr).toMatch(/no worker answers on the task queue tyk-dr\.(primary|dr)$/m);
    expect(answer.stderr).toMatch(/^next: tyk-dr worker (primary|dr)$/m);
  });

  test('the doctor and the status name what they could not ask, and do not call it well', async () => {
    const doctor = await lab.run('doctor', 'acme', '--json');
    expect(doctor.exitCode, doctor.stderr).toBe(3);
    const { deployments } = JSON.parse(doctor.stdout) as { deployments: { findings: Finding[] }[] };
    const down = deployments[0]!.findings.filter(
      ({ id, severity }) => id === 'worker' && severity === 'error',
    );
    expect(down.map(({ where }) => where).sort()).toEqual(['dr', 'primary']);
    const status = await lab.run('backup', 'status', 'acme');
    expect(status.exitCode, status.stderr).toBe(3);
    expect(status.stdout).toMatch(/^ +redis +not measured +5 min 00 s +NOT MEASURED /m);
  });

  test('the next command works as soon as they are back', async () => {
    await lab.restartWorker('primary');
    await lab.restartWorker('dr');
    expect((await lab.run('backup', 'prune', 'acme', '--dry-run')).exitCode).toBe(0);
  });
});

describe('a run that is followed', () => {
  test('outlasts a Temporal server that is killed, and ends as lines of JSON', async () => {
    await lab.destroyPrimary();
    const recovering = watching(
      'recover',
      'acme',
      '--to',
      'dr',
      '--on-failure',
      'abort',
      '--reason',
      'a test',
      '--json',
    );
    await expect.poll(recovering.said, { timeout: 60_000 }).toContain('"restore-database-data"');
    await killService(lab.lab, 'temporal');
    await expect
      .poll(recovering.said, { timeout: 30_000 })
      .toContain('Temporal does not answer; the run goes on');
    await lab.revive('temporal');
    expect(await recovering.ended, recovering.said()).toBe(0);
    expect(recovering.said()).toContain('Temporal answers again');
  });

  test('and has ended is shown with its outcome, and exits with its code', async () => {
    const answer = await lab.run('status', 'acme', '--watch', '--json');
    expect(answer.exitCode).toBe(0);
    expect(recordOf(answer).outcome).toBe('RECOVERED');
    const types = jsonLines(answer).map(({ version, type }) => `${String(version)} ${String(type)}`);
    expect([...new Set(types)]).toEqual(['1 step', '1 result']);
    const refused = await lab.recover('--json');
    expect(refused.exitCode).toBe(10);
    expect(recordOf(refused).outcome).toBe('REFUSED');
    expect((await lab.run('status', 'acme', '--watch')).exitCode).toBe(10);
    const status = JSON.parse(await lab.expect('status', 'acme', '--json')) as Record<string, unknown>;
    expect(status).toMatchObject({ version: 1, format: 'tyk-dr/run/v1', outcome: 'REFUSED' });
  });

  test('is in the history with its achieved time, and its log tells every attempt', async () => {
    const { runs } = JSON.parse(await lab.expect('history', '--json')) as { runs: HistoryEntry[] };
    // What was refused has changed nothing, not even the repository: only Temporal knows of it.
    expect(runs.map(({ outcome, keptIn }) => `${outcome} ${keptIn}`)).toEqual([
      'REFUSED temporal',
      'RECOVERED repository',
    ]);
    const [, recovered] = runs;
    expect(recovered!.rto).toMatchObject({ met: true, achievedMs: expect.any(Number) as number });
    expect(await lab.expect('history', 'acme', '--outcome', 'RECOVERED', '--site', 'dr')).toMatch(
      new RegExp(`^RUN .*\\n${recovered!.run} +acme .* MET `),
    );
    expect(await lab.expect('history', '--until', '2020-01-01')).toBe('no such run');
    const log = await lab.expect('logs', recovered!.run, 'restore-database-data');
    expect(log).toMatch(/ attempt +restore-database-data done: .*, by dr@\d+ tyk-dr /);
    expect(await lab.expect('logs', recovered!.run)).toMatch(/ outcome +RECOVERED$/m);
    expect((await lab.run('logs', 'acme', 'no-such-step')).exitCode).toBe(2);
    expect((await lab.run('history', '--site', 'nowhere', 'acme')).stderr).toContain("no site 'nowhere'");
    expect((await lab.run('history', '--since', 'yesterday')).stderr).toContain('expected a day such as');
    expect(await lab.expect('status')).toMatch(
      / acme +idle .*\n( +exposed: .*\n)* +lost by rec-.*\n( +drills: .*\n)* +last: rec-\S+ REFUSED, not reached, /,
    );
  });

  test('and that Temporal cannot tell of is read from the repository, by its id and in the history', async () => {
    const { runs } = JSON.parse(await lab.expect('history', '--json')) as { runs: HistoryEntry[] };
    const { run } = runs.at(-1)!;
    await stop(lab.lab, 'temporal');
    const [report, log, history] = await Promise.all([
      lab.expect('report', run),
      lab.expect('logs', run, 'start-redis'),
      lab.expect('history'),
    ]);
    await lab.revive('temporal');
    expect(report).toMatch(/^RECOVERED: acme/);
    expect(log).toMatch(/ step +start-redis done(, called \d times)?: (started|ran already), /);
    expect(history).toContain(run);
  });

  test('without a worker takes no decision, and when terminated from outside says so in words', async () => {
    const recovering = watching('recover', 'acme', '--to', 'dr', '--in-place', '--yes', '--reason', 'a test');
    await expect.poll(recovering.said, { timeout: 60_000 }).toContain('check-backup running');
    for (const worker of ['worker-dr', 'worker-primary']) await killService(lab.lab, worker);
    const killedAt = performance.now();
    let seen = '';
    while (!seen.includes('start it on its host:')) seen = await lab.expect('status');
    expect(performance.now() - killedAt, 'missed late').toBeLessThan(15_000);
    // Whichever kind of task hangs, its queue is named, with what to type.
    expect(seen).toMatch(/ acme +WAITING .* rec-\S+ by /);
    expect(seen).toMatch(
      /on the task queue tyk-dr(\.dr)? .*\n +start it on its host: tyk-dr worker (dr|NAME)$/m,
    );
    // Between two tasks that hang nobody is missed for a moment.
    const asJson = async (): Promise<string> => (await lab.run('status', 'acme', '--json')).stdout;
    await expect.poll(asJson, { timeout: 15_000 }).toContain('"missingWorkers": [\n');
    const decision = await quickly('abort', 'acme', '--reason', 'nobody is there to hear it');
    expect(decision.exitCode, decision.stderr).toBe(10);
    expect(decision.stderr).toMatch(/no worker on the task queue \S+ has taken 'abort' of acme$/m);
    await lab.terminate('acme');
    expect(await recovering.ended).toBe(13);
    expect(recovering.said()).toMatch(/rec-\S+ was terminated in Temporal before its end/);
    expect(recovering.said()).not.toContain('bug');
    const status = await lab.run('status', 'acme');
    expect(status.exitCode).toBe(13);
    expect(status.stderr).toContain('was terminated in Temporal');
  });
});

describe('a run that needs people', () => {
  /** The record once it is as expected; a worker under load may miss a question. */
  async function awaitRecord(run: string, reached: (record: RunRecord) => boolean): Promise<RunRecord> {
    let record: RunRecord | undefined;
    const look = async (): Promise<boolean> => {
      record = JSON.parse((await lab.run('status', run, '--json')).stdout) as RunRecord;
      return record.steps !== undefined && reached(record);
    };
    await expect.poll(look, { timeout: 120_000, interval: 300 }).toBe(true);
    return record!;
  }
  const waits = (step: string) => (record: RunRecord) =>
    record.steps.some(({ id, state }) => id === step && state === 'waiting');

  /** As somebody does who pastes the line into Temporal's own UI. */
  async function pasteApproval(line: string): Promise<unknown> {
    const args: [unknown] = [JSON.parse(line)];
    return lab.withClient((client) =>
      client.workflow.getHandle(lockId('acme')).executeUpdate('approve', { args }),
    );
  }

  test('is steered from the command line: made by hand, skipped, approved with a key', async () => {
    const keys = ['ann', 'mallory'].map((name) => join(lab.lab.dir, `ssh-${name}`)) as [string, string];
    for (const key of keys) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const failing = join(lab.lab.dir, 'failing-start');
    const script = '#!/bin/sh\necho password=S3cr3t-planted\necho "FATAL: no more memory" >&2\nexit 1\n';
    await writeFile(failing, script, { mode: 0o755 });
    const path = configFile(lab.lab);
    const config = parse(await readFile(path, 'utf8')) as { deployments: { acme: AcmeSection } };
    const { acme } = config.deployments;
    acme.sites.dr.redis.service.start = [failing];
    const known = acme.probes.find(({ proves }) => proves === 'known-key')!;
    acme.probes.push({
      ...known,
      name: 'a key that has not expired',
      proves: 'expired-key',
      expect: { status: 401 },
    });
    acme.approvals = [{ step: 'switch-traffic' }];
    // Its people are others than the only approver.
    delete acme.roles;
    acme.approvers = [{ name: 'ann', key: (await readFile(`${keys[0]}.pub`, 'utf8')).trim() }];
    await writeFile(path, stringify(config));
    await lab.restartWorker('primary');
    await lab.restartWorker('dr');

    const place = ['--to', 'dr', '--in-place', '--yes', '--detach', '--reason', 'a test'];
    const run = (await lab.expect('recover', 'acme', ...place)).trim();
    await awaitRecord(run, waits('start-redis'));
    const status = await lab.expect('status', run);
    expect(status).toContain('    | FATAL: no more memory');
    expect(status).toContain('    | password=[redacted]');
    expect(status).not.toContain('S3cr3t');
    const skipped = await lab.run('skip', run, 'start-redis', '--reason', 'no time');
    expect(skipped.exitCode).toBe(10);
    expect(skipped.stderr).toMatch(
      /'skip' is not offered for start-redis of \S+; what is: retry, done, abort$/m,
    );
    await start(lab.lab, 'dr-redis');
    expect(await lab.expect('done', run, 'start-redis', '--reason', 'started by hand')).toBe(
      'done: start-redis',
    );
    const late = await lab.run(
      'retry',
      run,
      '--step',
      'start-redis',
      '--reason',
      'try again',
      '--actor',
      'bob',
    );
    expect(late.exitCode).toBe(10);
    expect(late.stderr).toMatch(
      /comes too late: \S+ decided done for start-redis at \S+ \(started by hand\)/,
    );

    await awaitRecord(run, waits('prove-authentication'));
    await lab.expect('skip', run, 'prove-authentication', '--reason', 'that key is known to be valid');
    await awaitRecord(run, waits('switch-traffic'));
    expect(await lab.expect('status', run)).toContain(`tyk-dr approve ${run} switch-traffic --reason`);
    const approval = [run, 'switch-traffic', '--reason', 'the proofs are good'];
    const stranger = await lab.run('approve', ...approval);
    expect(stranger.exitCode, stranger.stderr).toBe(2);
    expect(stranger.stderr).toContain('expected one of the approvers of acme: ann');
    const forged = await lab.run('approve', ...approval, '--actor', 'ann', '--key', keys[1]);
    expect(forged.exitCode, forged.stderr).toBe(10);
    expect(forged.stderr).toContain('which is not that of ann');
    const line = await lab.expect('sign', ...approval, '--actor', 'ann', '--key', keys[0]);
    expect(await pasteApproval(line)).toBe('approved: switch-traffic, 1 of 1');

    const answer = await lab.run('status', run, '--watch', '--json');
    expect(answer.exitCode, answer.stderr).toBe(3);
    const record = recordOf(answer);
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions).toEqual([
      expect.stringMatching(/^start-redis: made by hand, says .*: started by hand$/) as string,
      expect.stringMatching(/^prove-authentication: skipped by .*: that key is known to be valid$/) as string,
      // What was skipped does not hold all the same, and is found again.
      expect.stringMatching(/^criterion functionality: .*a key that has not expired/) as string,
      expect.stringMatching(/^criterion security: .*a key that has not expired/) as string,
    ]);
    expect(record.steps.find(({ id }) => id === 'prove-redis')!.state).toBe('done');
    const report = await lab.expect('report', run);
    expect(report).toMatch(
      /switch-traffic, by ann \(proven, signed with SHA256:\S+\): the proofs are good$/m,
    );
    expect(report).toMatch(/REFUSED: switch-traffic, by ann: .* which is not that of ann/);
    expect(report).toMatch(/waited for people, within the RTO: .* for approvals, .* for decisions$/m);
  });
});

interface AcmeSection {
  probes: { name: string; proves: string; expect?: unknown }[];
  approvals?: unknown[];
  approvers?: unknown[];
  roles?: unknown;
  readonly sites: { readonly dr: { readonly redis: { readonly service: { start: string[] } } } };
}
