import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupId, shipWalId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import { BACKUP_INPUT } from '../harness/backup-input.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** WAL is shipped beside a backup; what must be copied as a whole waits for it. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

test('a copy that lacks the newest set gets it as a whole, unless sets are being worked on', async () => {
  const copied: string[] = [];
  let release = (): void => undefined;
  const busy = new Promise<void>((resolve) => (release = resolve));
  let proving = (): void => undefined;
  const underWay = new Promise<void>((resolve) => (proving = resolve));
  const activities = {
    'find-live-site': () => Promise.resolve({ summary: 'live', live: true }),
    'ship-wal': () => Promise.resolve({ summary: 'shipped', behind: ['paris'] }),
    'copy-set': ({ set }: { set: string }) => {
      copied.push(set);
      return Promise.resolve({ summary: 'copied' });
    },
    'verify-set': async () => {
      const beat = setInterval(() => Context.current().heartbeat(), 500);
      proving();
      await busy.finally(() => clearInterval(beat));
      return { summary: 'proven' };
    },
  };
  await withWorkers(environment, { primary: activities }, async () => {
    const start = (workflow: string, workflowId: string) =>
      environment.client.workflow.start(workflow, {
        workflowId,
        taskQueue: WORKFLOW_QUEUE,
        args: [BACKUP_INPUT],
      });
    const verify = await start('verify', backupId('acme'));
    await underWay;
    const first = await start('shipWal', shipWalId('acme'));
    expect(await first.result()).toEqual({
      summary: 'shipped; the newest set to paris: later, as a backup or a proof is under way',
    });
    expect(copied).toEqual([]);
    release();
    await verify.result();
    const second = await start('shipWal', shipWalId('acme'));
    expect(await second.result()).toEqual({ summary: 'shipped; the newest set to paris: copied' });
    expect(copied).toEqual(['latest']);
  });
});
