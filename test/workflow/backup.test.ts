import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import { BACKUP_INPUT } from '../harness/backup-input.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** The story of a backup, with activities that only tell that they were called. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

test('a set bears the time at which its last part was complete: a set from before some damage is free of it', async () => {
  let completeAt = '';
  let sealedAs = '';
  const part = { summary: 'done', objects: [] };
  const activities = {
    'find-live-site': () => Promise.resolve({ summary: 'live', live: true }),
    'back-up-redis': () => Promise.resolve(part),
    'back-up-config': () => Promise.resolve(part),
    'back-up-database': () => {
      completeAt = new Date().toISOString();
      return Promise.resolve(part);
    },
    'seal-set': (_input: unknown, _parts: unknown, createdAt: string) => {
      sealedAs = createdAt;
      return Promise.resolve({ summary: 'sealed' });
    },
  };
  await withWorkers(environment, { primary: activities }, () =>
    environment.client.workflow.execute('backup', {
      workflowId: 'backup/acme',
      taskQueue: WORKFLOW_QUEUE,
      args: [BACKUP_INPUT, false],
    }),
  );
  expect(completeAt).not.toBe('');
  expect(sealedAs >= completeAt, `${sealedAs} is before ${completeAt}`).toBe(true);
});
