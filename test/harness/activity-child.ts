import * as promises from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { ChildCall } from './activity.ts';

/**
 * One activity in a process of its own, wired as a worker wires it, so that a test can kill it. Prints its result as
 * JSON. `--import tsx activity-child.ts CALL.json`
 */

const call = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ChildCall;
if (call.killAtRename) dieAtRename(call.killAtRename);
const { callActivity } = await import('./activity.ts');
process.stdout.write(JSON.stringify(await callActivity(call)));
process.exit(0);

/** SIGKILL to ourselves on one side of the nth rename of a folder, as if the machine had lost power there. */
function dieAtRename({ folder, nth, side }: NonNullable<ChildCall['killAtRename']>): void {
  const real = promises.rename;
  let seen = 0;
  const dying = async (from: string, to: string): Promise<void> => {
    const meant = (from === folder || to === folder) && ++seen === nth;
    if (meant && side === 'before') process.kill(process.pid, 'SIGKILL');
    await real(from, to);
    if (meant && side === 'after') process.kill(process.pid, 'SIGKILL');
  };
  // Modules that are loaded after this see it under the name that they import.
  (promises as unknown as { default: { rename: unknown } }).default.rename = dying;
  syncBuiltinESMExports();
}
