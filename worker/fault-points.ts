import { closeSync, existsSync, openSync, readFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WorkerOptions } from '@temporalio/worker';
import { atRenames, measured, writtenBytes, type Work } from './fault-meter.ts';

/**
 * Where tests let a worker die or a step fail: a folder in `TYK_DR_FAULT_DIR`, whose file `faults` lists
 * `POINT:MOMENT` with commas between. Without the variable there is nothing of this at all.
 *
 * A point is the name of an activity; an undo names the step that it undoes as well: `undo-switch.restore-redis-data`.
 * Each moment comes once, as a file of its name in the folder says, but for `fails` and `fails-after`:
 *
 * - `before`, `after`: die before the work, or after it and before anybody hears of it
 * - `byte-N`: die when the worker and its tools have written N bytes since the work began, at its end at the latest
 * - `rename-N-before`, `rename-N-after`: die on one side of the Nth rename of the work
 * - `fail`, `fails`, `fails-after`: throw what a policy retries: before the work, once or always, or always after it
 * - `refuse`, `refuse-after`: throw what no policy retries, before the work or after it
 * - `hold`: wait before the work until there is a file `POINT:hold.go`, so that a test can act meanwhile
 *
 * A file `trace` in the folder gets one line of JSON for each work that ended: what it wrote and renamed.
 */
export function faultPoints(): Pick<WorkerOptions, 'interceptors'> {
  const folder = process.env['TYK_DR_FAULT_DIR'];
  if (folder === undefined) return {};
  atRenames((work, side) => once(folder, `${work.point}:rename-${work.renames}-${side}`, die));
  return {
    interceptors: {
      activity: [
        ({ info: { activityType } }) => ({
          inbound: {
            async execute(input, next) {
              const point = pointOf(activityType, input.args);
              await beforeWork(folder, point);
              const result = await measured(point, async (work) => {
                const watch = dieAtByte(folder, point);
                const found = await next(input).finally(watch.end);
                watch.latest();
                trace(folder, work);
                return found;
              });
              once(folder, `${point}:after`, die);
              if (isPlanted(folder, `${point}:fails-after`)) fail();
              once(folder, `${point}:refuse-after`, refuse);
              return result;
            },
          },
        }),
      ],
    },
  };
}

function pointOf(activity: string, args: readonly unknown[]): string {
  if (activity !== 'undo-switch') return activity;
  return `${activity}.${(args[0] as { readonly step: string }).step}`;
}

async function beforeWork(folder: string, point: string): Promise<void> {
  once(folder, `${point}:before`, die);
  once(folder, `${point}:fail`, fail);
  if (isPlanted(folder, `${point}:fails`)) fail();
  once(folder, `${point}:refuse`, refuse);
  let held = false;
  once(folder, `${point}:hold`, () => (held = true));
  while (held && !existsSync(join(folder, `${point}:hold.go`))) {
    Context.current().heartbeat('held by a test');
    await sleep(HOLD_POLL_MS);
  }
}

const HOLD_POLL_MS = 5;
/** Often enough to come between the writes of a tool, seldom enough to leave it the processor. */
const BYTE_POLL_MS = 1;

interface ByteWatch {
  readonly end: () => void;
  /** Dies now where it has not yet. */
  readonly latest: () => void;
}

function dieAtByte(folder: string, point: string): ByteWatch {
  const fault = planted(folder).find(
    (each) => each.startsWith(`${point}:byte-`) && !existsSync(join(folder, each)),
  );
  if (fault === undefined) return { end: () => undefined, latest: () => undefined };
  const limit = writtenBytes() + Number(fault.slice(`${point}:byte-`.length));
  const dieOnce = (): void => once(folder, fault, die);
  const timer = setInterval(() => {
    if (writtenBytes() >= limit) dieOnce();
  }, BYTE_POLL_MS);
  return { end: () => clearInterval(timer), latest: dieOnce };
}

function planted(folder: string): string[] {
  const file = join(folder, 'faults');
  return existsSync(file) ? readFileSync(file, 'utf8').split(',') : [];
}

function isPlanted(folder: string, fault: string): boolean {
  return planted(folder).includes(fault);
}

function once(folder: string, fault: string, act: () => void): void {
  if (!isPlanted(folder, fault)) return;
  try {
    // Creating the file decides who acts, also between workers.
    closeSync(openSync(join(folder, fault), 'wx'));
  } catch {
    return;
  }
  act();
}

function trace(folder: string, { point, renames, fromBytes, startedAt }: Work): void {
  const file = join(folder, 'trace');
  if (!existsSync(file)) return;
  const ms = Math.round(performance.now() - startedAt);
  appendFileSync(file, `${JSON.stringify({ point, renames, bytes: writtenBytes() - fromBytes, ms })}\n`);
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal may need a moment to arrive: nothing more may happen in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('a killed worker went on');
}

function fail(): never {
  throw new Error('a fault that a test asked for');
}

function refuse(): never {
  throw ApplicationFailure.nonRetryable('a fault for good that a test asked for', 'BUG');
}
