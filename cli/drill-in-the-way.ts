import { setTimeout as sleep } from 'node:timers/promises';
import { lockId } from '../domain/messages.ts';
import type { Door } from './client.ts';
import { sendUpdate } from './send-update.ts';

/** No rehearsal holds up the real thing: a recovery that meets a drill ends it, waits for its tear-down and begins. */

/** A tear-down stops some services and renames some folders. One that takes longer needs a look. */
const PATIENCE_MS = 3 * 60_000;

/** @returns whether a drill held the lock, and has let go of it */
export async function endDrillInTheWay(door: Door, deployment: string, actor: string): Promise<boolean> {
  const handle = door.client.workflow.getHandle(lockId(deployment));
  const { type, memo, status } = await handle.describe();
  if (type !== 'drill' || status.name !== 'RUNNING') return false;
  process.stderr.write(
    `note: the drill ${String(memo?.['run'] ?? '')} is in the way; it is stopped and torn down first\n`,
  );
  const args = { actor, reason: 'a recovery comes first' };
  // Somebody may have ended it already: what counts is that it lets go.
  await sendUpdate(door, handle, { kind: 'abort', args, to: 'the drill' }).catch(() => undefined);
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
