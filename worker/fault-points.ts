import { closeSync, openSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Context } from '@temporalio/activity';
import type { WorkerOptions } from '@temporalio/worker';

/**
 * Where tests let a worker die or a step fail: `TYK_DR_FAULT=STEP:MOMENT,...`, each once, as the files beside
 * `TYK_DR_FAULT_MARKER` say. Without the variable there is nothing of this at all.
 *
 * - `before`, `after`: die before the step's work, or after it and before anybody hears of it
 * - `ledger`: die when the work is done and its ledger file is about to get its name
 * - `fail`: throw before the work
 */
export function faultPoints(): Pick<WorkerOptions, 'interceptors'> {
  const marker = process.env['TYK_DR_FAULT_MARKER'];
  const faults = (process.env['TYK_DR_FAULT'] ?? '').split(',').filter(Boolean);
  if (faults.length === 0 || marker === undefined) return {};
  const at = (step: string, moment: string, act: () => void): void => {
    const fault = `${step}:${moment}`;
    if (faults.includes(fault)) once(`${marker}-${fault}`, act);
  };
  atLedger((step) => at(step, 'ledger', die));
  return {
    interceptors: {
      activity: [
        ({ info: { activityType } }) => ({
          inbound: {
            async execute(input, next) {
              at(activityType, 'before', die);
              at(activityType, 'fail', fail);
              const result = await next(input);
              at(activityType, 'after', die);
              return result;
            },
          },
        }),
      ],
    },
  };
}

/** Calls back with the running step when its ledger file is renamed into place. */
function atLedger(act: (step: string) => void): void {
  const { rename } = promises;
  promises.rename = async (from, to) => {
    if (String(to).endsWith('/tyk-dr-step.json')) act(Context.current().info.activityType);
    await rename(from, to);
  };
  // Modules that have imported it by name get the new one.
  syncBuiltinESMExports();
}

function once(marker: string, act: () => void): void {
  try {
    // Creating the marker decides who acts, also between workers.
    closeSync(openSync(marker, 'wx'));
  } catch {
    return;
  }
  act();
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal may need a moment to arrive: nothing more may happen in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('a killed worker went on');
}

function fail(): void {
  throw new Error('a fault that a test asked for');
}
