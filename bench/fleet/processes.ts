import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { temporalBinary } from '../../lab/temporal.ts';

/** The Temporal server and the worker of the bench, which can be killed and come back. */

const START_TIMEOUT_MS = 60_000;

export class Process {
  readonly #begin: () => Promise<ChildProcess>;
  #child: ChildProcess | undefined;
  #peakBytes = 0;

  constructor(begin: () => Promise<ChildProcess>) {
    this.#begin = begin;
  }

  async start(): Promise<void> {
    this.#child = await this.#begin();
  }

  /** The most memory that any of its lives had resident, as far as it was looked at. */
  async peakBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#child?.pid}/status`, 'utf8').catch(() => '');
    const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    this.#peakBytes = Math.max(this.#peakBytes, kilobytes * 1024);
    return this.#peakBytes;
  }

  /** SIGKILL, and back after a moment, as a service manager would have it. */
  async killAndStart(pauseMs: number): Promise<void> {
    await this.peakBytes();
    await this.end('SIGKILL');
    await sleep(pauseMs);
    await this.start();
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }
}

/** On a database file: it must survive being killed. */
export function temporalServer(dir: string, port: number): Process {
  return new Process(async () => {
    const child = spawn(
      await temporalBinary(),
      [
        ...['server', 'start-dev', '--ip', '127.0.0.1', '--headless', '--port', String(port)],
        ...['--db-filename', join(dir, 'temporal.db'), '--log-level', 'error'],
        // A killed server loses nothing by it; a power cut might, and every write would wait for the disk.
        ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
        // The tier's priority has an effect only with the new matcher.
        ...['--dynamic-config-value', 'matching.useNewMatcher=true'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await answers(`127.0.0.1:${port}`);
    return child;
  });
}

async function answers(address: string): Promise<void> {
  for (const until = Date.now() + START_TIMEOUT_MS; ;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 2_000 });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return await connection.close();
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(200);
    }
  }
}

export function simulatedWorker(options: Readonly<Record<string, string>>): Process {
  return new Process(async () => {
    const file = fileURLToPath(new URL('worker.js', import.meta.url));
    const argv = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    // As the README has it for workers.
    const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
    const child = spawn(process.execPath, [file, ...argv], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the worker of the bench ended with ${code}`)));
    });
    return child;
  });
}
