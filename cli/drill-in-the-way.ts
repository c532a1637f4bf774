import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../domain/errors.ts';
import { lockId } from '../domain/messages.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { Door } from './client.ts';
import { sendUpdate } from './send-update.ts';
import { startRun, type RunHandle } from './start-run.ts';

/** No rehearsal holds up the real thing: a recovery or a failover that meets a drill ends it, waits for its tear-down and begins. */

/** A tear-down stops some services and renames some folders. One that takes longer needs a look. */
const PATIENCE_MS = 3 * 60_000;

/** Starts a run under the lock of its deployment, before any drill. @throws DrError ALREADY_RUNNING */
export async function startBeforeDrills(door: Door, input: RecoverInput, title: string): Promise<RunHandle> {
  try {
    return await startRun(door, input, title);
  } catch (error) {
    const isHeld = error instanceof DrError && error.code === 'ALREADY_RUNNING';
    if (!isHeld || !(await endDrillInTheWay(door, input.plan.deployment, input.actor))) throw error;
    return startRun(door, input, title);
  }
}

/** Tells a drill that holds the lock to end, and does not wait for its tear-down. @returns its run, where it was one */
export async function stopDrillInTheWay(
  door: Door,
  deployment: string,
  actor: string,
): Promise<string | undefined> {
  const handle = door.client.workflow.getHandle(lockId(deployment));
  const { type, memo, status } = await handle.describe();
  if (type !== 'drill' || status.name !== 'RUNNING') return undefined;
  const run = String(memo?.['run'] ?? type);
  process.stderr.write(
    `note: the drill ${run} of ${deployment} is in the way; it is stopped and torn down first\n`,
  );
  const args = { actor, reason: 'a recovery comes first' };
  // Somebody may have ended it already: what counts is that it lets go.
  await sendUpdate(door, handle, { kind: 'abort', args, to: 'the drill' }).catch(() => undefined);
  return run;
}

/** @returns whether a drill held the lock, and has let go of it */
async function endDrillInTheWay(door: Door, deployment: string, actor: string): Promise<boolean> {
  if ((await stopDrillInTheWay(door, deployment, actor)) === undefined) return false;
  const handle = door.client.workflow.getHandle(lockId(deployment));
  const over = new AbortController();
  const ended = handle.result().then(
    () => true,
    () => true,
  );
  const late = sleep(PATIENCE_MS, false, { signal: over.signal }).catch(() => false);
  try {
    return await Promise.race([ended, late]);
  } finally {
    over.abort();
  }
}
