import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { lockId } from '../../domain/messages.ts';
import type { RunRecord } from '../../domain/run.ts';
import { killSite, wipeData } from '../../lab/break.ts';
import { configFile, findLab, type Lab, type SiteName } from '../../lab/layout.ts';
import { resetSite } from '../../lab/reset.ts';
import { countStarts, declareService, nodeProgram, pidOf, start, stop } from '../../lab/services.ts';

/** A lab for a test file: real processes, driven through the program as its users do. */

const PROGRAM = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command with --json wrote, line by line: every one is an object. */
export function jsonLines(answer: Answer): Record<string, unknown>[] {
  return answer.stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The record with which `recover --json` and `status --watch --json` end. */
export function recordOf(answer: Answer): RunRecord {
  const last = jsonLines(answer).at(-1)!;
  if (last['type'] !== 'result') throw new Error(`no result: ${answer.stdout}\n${answer.stderr}`);
  return last as unknown as RunRecord;
}

export interface RunningWorker {
  readonly end: Promise<WorkerEnd>;
  said(): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const QUICK_TO_HEAR_MS = 300;

export class TestLab {
  readonly lab: Lab;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  static up(...args: readonly string[]): Promise<TestLab> {
    return TestLab.#up(QUICK_TO_HEAR_MS, args);
  }

  /** With Gateways that hear no notification at first, for as long as the real one. */
  static upAsReal(...args: readonly string[]): Promise<TestLab> {
    return TestLab.#up(10_000, args);
  }

  static async #up(deafMs: number, args: readonly string[]): Promise<TestLab> {
    const dir = await mkdtemp('/var/tmp/tyk-dr-test-');
    await execa('chmod', ['755', dir]);
    const command = (...words: string[]) =>
      execa(process.execPath, [PROGRAM, 'lab', '--dir', dir, ...words], {
        env: {
          TYK_DR_LAB_DEAF_MS: String(deafMs),
          TYK_DR_LAB_LOAD: '2s',
          ...(deafMs === QUICK_TO_HEAR_MS ? { TYK_DR_LAB_BARE_PROOF: '1' } : {}),
        },
      });
    await command('up', '--scale', 'small', ...args).catch(async (error: unknown) => {
      // Nobody else would know of it.
      await command('down', '--destroy');
      throw error;
    });
    return new TestLab((await findLab(dir))!);
  }

  /** Runs the program against the lab's configuration. Never throws for an exit code. */
  async run(...args: readonly string[]): Promise<Answer> {
    const result = await execa(process.execPath, [PROGRAM, ...args], {
      env: { TYK_DR_CONFIG: configFile(this.lab) },
      reject: false,
      stdin: 'ignore',
    });
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** Like `run`, and fails with the program's own words unless it ends well. */
  async expect(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...args);
    if (exitCode !== 0)
      throw new Error(`tyk-dr ${args.join(' ')} ended with ${exitCode}\n${stdout}\n${stderr}`);
    return stdout;
  }

  recover(...args: readonly string[]): Promise<Answer> {
    return this.run('recover', 'acme', '--to', 'dr', '--reason', 'a test', ...args);
  }

  async destroyPrimary(): Promise<void> {
    await killSite(this.lab, 'primary');
    await wipeData(this.lab, 'primary');
  }

  /** An empty dr site again, with the clients back at the lost primary: ready for the next recovery. */
  async resetDr(): Promise<void> {
    await resetSite(this.lab, 'dr');
  }

  /** Restarts a worker, with environment variables of the test's choice. */
  async restartWorker(site: SiteName, env: Readonly<Record<string, string>> = {}): Promise<void> {
    await stop(this.lab, `worker-${site}`);
    await this.startWorker(site, env);
  }

  /** @param program of another build than this one */
  async startWorker(
    worker: string,
    env: Readonly<Record<string, string>> = {},
    program: string = PROGRAM,
  ): Promise<void> {
    const name = `worker-${worker}`;
    await declareService(this.lab, {
      name,
      argv: nodeProgram(program, '--config', configFile(this.lab), 'worker', worker),
      env,
    });
    const served = (text: string): number => text.split(' serves ').length;
    const before = served(await this.readLog(name));
    await start(this.lab, name);
    // It has read its configuration when it says that it serves.
    while (served(await this.readLog(name)) === before) await sleep(20);
  }

  /** A second worker of the same name on the same host. */
  async startTwin(worker: string): Promise<void> {
    const name = `worker-${worker}-twin`;
    await declareService(this.lab, {
      name,
      argv: nodeProgram(PROGRAM, '--config', configFile(this.lab), 'worker', worker),
    });
    await start(this.lab, name);
    while (!(await this.readLog(name)).includes(' serves ')) await sleep(20);
  }

  async stopTwin(worker: string): Promise<void> {
    await stop(this.lab, `worker-${worker}-twin`);
  }

  /** The same as a child of the test, which sees how it ends. */
  async runTwin(worker: string): Promise<RunningWorker> {
    const log = join(this.lab.dir, 'log', `worker-${worker}-child.log`);
    const out = openSync(log, 'w');
    const child = spawn(process.execPath, [PROGRAM, '--config', configFile(this.lab), 'worker', worker], {
      stdio: ['ignore', out, out],
    });
    closeSync(out);
    const end = new Promise<WorkerEnd>((done) =>
      child.once('exit', (code, signal) => done({ code, signal })),
    );
    const said = (): Promise<string> => readFile(log, 'utf8');
    while (!(await said()).includes(' serves ')) await sleep(20);
    return { end, said, kill: (signal) => void child.kill(signal) };
  }

  async withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const connection = await Connection.connect({ address: `127.0.0.1:${this.lab.ports.temporal}` });
    try {
      return await work(new Client({ connection }));
    } finally {
      await connection.close();
    }
  }

  /** Ends the run of a deployment for good, as somebody would in Temporal's own UI. */
  async terminate(deployment: string): Promise<void> {
    await this.withClient((client) => client.workflow.getHandle(lockId(deployment)).terminate('a test'));
  }

  async revive(name: string): Promise<void> {
    if ((await pidOf(this.lab, name)) === undefined) await start(this.lab, name);
  }

  starts(): Promise<Record<string, number>> {
    return countStarts(this.lab);
  }

  readLog(name: string): Promise<string> {
    return readFile(join(this.lab.dir, 'log', `${name}.log`), 'utf8').catch(() => '');
  }

  async down(): Promise<void> {
    await execa(process.execPath, [PROGRAM, 'lab', '--dir', this.lab.dir, 'down', '--destroy']);
  }
}
