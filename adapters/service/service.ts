import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { requireSiteWithinDrill } from '../host/isolation.ts';
import { run } from '../process/run.ts';
import { serviceCommands } from '../../domain/service-commands.ts';

/**
 * Starts, stops and looks at a component through its configured commands. Starting what runs and stopping what is
 * stopped does nothing: both look first, so that a repeated step never makes a second process.
 */

export type ServiceState = 'running' | 'stopped';

/** Long enough for a database that checkpoints before it stops. */
const COMMAND_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** What the Linux Standard Base calls 'not running', and what systemd answers for a unit that is not there. */
const STOPPED_CODES = [3, 4];

export interface ServiceTarget {
  /** As people call it: `redis`, `gateway gw1`. */
  readonly name: string;
  readonly site: string;
  readonly service: ServiceConfig;
}

/** @throws DrError SERVICE_FAILED where the status command itself cannot be run. */
export async function serviceState(target: ServiceTarget): Promise<ServiceState> {
  requireSiteWithinDrill(target.site, target.name);
  const { status } = serviceCommands(target.service);
  const { exitCode } = await run(status, { allowedExitCodes: STOPPED_CODES }).catch((error: unknown) => {
    throw failure(target, 'tell its state', error);
  });
  return exitCode === 0 ? 'running' : 'stopped';
}

/** @returns whether it had to be started. */
export async function startService(target: ServiceTarget, signal?: AbortSignal): Promise<boolean> {
  if ((await serviceState(target)) === 'running') return false;
  await command(target, 'start', signal);
  return true;
}

/** @returns whether it had to be stopped. Waits until it has. */
export async function stopService(target: ServiceTarget, signal?: AbortSignal): Promise<boolean> {
  if ((await serviceState(target)) === 'stopped') return false;
  await command(target, 'stop', signal);
  const deadline = Date.now() + COMMAND_TIMEOUT_MS;
  while ((await serviceState(target)) === 'running') {
    if (Date.now() > deadline) throw failure(target, 'stop', new Error('it still runs'));
    await sleep(POLL_MS, undefined, { signal });
  }
  return true;
}

async function command(target: ServiceTarget, action: 'start' | 'stop', signal?: AbortSignal): Promise<void> {
  await run(serviceCommands(target.service)[action], { timeoutMs: COMMAND_TIMEOUT_MS, signal }).catch(
    (error: unknown) => {
      throw failure(target, action, error);
    },
  );
}

function failure(target: ServiceTarget, action: string, cause: unknown): DrError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DrError(
    'SERVICE_FAILED',
    { service: target.name, site: target.site, action, reason },
    { cause },
  );
}
