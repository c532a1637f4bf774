import { userInfo } from 'node:os';
import type { WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { ACKNOWLEDGE, acknowledgeObjection, tellId, type AcknowledgeArgs } from '../domain/tell.ts';
import { actorArgument, runArgument } from './arguments.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { described, soon } from './run-record.ts';
import { sendUpdate } from './send-update.ts';

/** `tyk-dr ack`: somebody has heard, and nobody further is told. */

export function registerAck(program: Command, config: () => string | undefined): void {
  program
    .command('ack')
    .description('Say that you have heard of what a run asks: it is not escalated further')
    .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .action(async (run: string, { actor = userInfo().username }: { actor?: string }) => {
      const refused = acknowledgeObjection({ actor });
      if (refused) throw refused;
      await withDoor(config(), async (door) => {
        const args: AcknowledgeArgs = { actor };
        const update = { kind: ACKNOWLEDGE, args, to: run, run };
        const answer = await sendUpdate(door, await listener(door, run), update);
        process.stdout.write(`${answer}\n`);
      });
    });
}

/** The run; once it is over, the workflow that still tells people of it. @throws DrError NOTHING_TO_DECIDE */
async function listener(door: Door, name: string): Promise<WorkflowHandle> {
  const handle = await findRun(door, name);
  const { status, memo, workflowId } = await soon(door, () => handle.describe());
  if (status.name === 'RUNNING') return handle;
  const run = String(memo?.['run'] ?? name);
  const teller = door.client.workflow.getHandle(tellId(workflowId.replace(/^run\//, ''), run));
  if ((await described(door, teller))?.status.name === 'RUNNING') return teller;
  const state = `over (${status.name.toLowerCase()}), and nobody is being told of it any more`;
  throw new DrError('NOTHING_TO_DECIDE', { run: name, decision: 'ack', state });
}
