import { closeSync, openSync } from 'node:fs';
import type { WorkerOptions } from '@temporalio/worker';

/**
 * Where tests let a worker die or a step fail: `TYK_DR_FAULT=STEP:before|after|fail`, once per marker file named
 * by `TYK_DR_FAULT_MARKER`. Without the variable there is no interceptor at all.
 */
export function faultPoints(): Pick<WorkerOptions, 'interceptors'> {
  const fault = process.env['TYK_DR_FAULT'];
  const marker = process.env['TYK_DR_FAULT_MARKER'];
  if (fault === undefined || marker === undefined) return {};
  const [step, moment] = fault.split(':');
  return {
    interceptors: {
      activity: [
        ({ info }) => ({
          inbound: {
            async execute(input, next) {
              const meant = info.activityType === step;
              if (meant && moment === 'before') once(marker, die);
              if (meant && moment === 'fail') once(marker, fail);
              const result = await next(input);
              if (meant && moment === 'after') once(marker, die);
              return result;
            },
          },
        }),
      ],
    },
  };
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

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function fail(): void {
  throw new Error('a fault that a test asked for');
}
