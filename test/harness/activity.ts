import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { loadConfig } from '../../adapters/config/load.ts';
import type { BackupStepInput } from '../../domain/backup.ts';
import type { StepInput } from '../../domain/plan.ts';
import type { FailureDetails, StepResult } from '../../domain/run.ts';
import { wire } from '../../worker/wire.ts';

/** Activities in processes of their own: killed like a worker is killed, tools and all. */

export interface ActivityCall {
  readonly configFile: string;
  readonly activity: string;
  readonly input: StepInput | BackupStepInput;
  /** What the activity takes behind its input. */
  readonly more?: readonly unknown[];
  /** Whose worker runs it; default dr. */
  readonly worker?: 'primary' | 'dr';
}

export interface ChildCall extends ActivityCall {
  /** Die on one side of the nth rename from or to a folder. */
  readonly killAtRename?: {
    readonly folder: string;
    readonly nth: number;
    readonly side: 'before' | 'after';
  };
}

export interface ChildEnd {
  readonly killed: boolean;
  readonly result?: StepResult;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly details?: FailureDetails;
  };
}

export interface RunningCall {
  readonly pid: number;
  readonly kill: () => void;
  readonly end: Promise<ChildEnd>;
}

const CHILD = join(import.meta.dirname, 'activity-child.ts');

export async function startActivity(call: ChildCall): Promise<RunningCall> {
  const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-call-'));
  const file = join(folder, 'call.json');
  await writeFile(file, JSON.stringify(call));
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = endOf(child).finally(() => rm(folder, { recursive: true, force: true }));
  end.catch(() => undefined);
  return { pid: child.pid!, kill: () => void child.kill('SIGKILL'), end };
}

/** Runs an activity that dies by itself. */
export async function killedActivity(call: ChildCall): Promise<boolean> {
  return (await (await startActivity(call)).end).killed;
}

/** Runs an activity to its end in this process, wired as a worker wires it. */
export async function callActivity({
  configFile,
  activity,
  input,
  more = [],
  worker = 'dr',
}: ActivityCall): Promise<ChildEnd> {
  const { activities } = wire(await loadConfig(configFile), worker, 'test');
  const work = (activities as unknown as Record<string, (...args: unknown[]) => Promise<StepResult>>)[
    activity
  ]!;
  try {
    return {
      killed: false,
      result: await new MockActivityEnvironment(
        { currentAttemptScheduledTimestampMs: Date.now() },
        { logger: new DefaultLogger('ERROR') },
      ).run(work, input, ...more),
    };
  } catch (error) {
    const { type, message, details } = error as {
      type?: string;
      message: string;
      details?: [FailureDetails?];
    };
    const [told] = details ?? [];
    return { killed: false, error: { code: type ?? 'BUG', message, ...(told ? { details: told } : {}) } };
  }
}

async function endOf(child: ChildProcess): Promise<ChildEnd> {
  let [out, complaints] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === 'SIGKILL') return { killed: true };
  if (out === '') throw new Error(`the child said nothing:\n${complaints}`);
  return { killed: false, ...(JSON.parse(out) as Omit<ChildEnd, 'killed'>) };
}
