import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupResult } from '../../domain/backup.ts';
import { filesId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
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

test('a set that is sealed reaches the standby; where that fails, or others are on their way, the set is sound', async () => {
  const part = { summary: 'done', objects: [] };
  const brought: string[] = [];
  let arrives: Promise<unknown> = Promise.resolve();
  let refused = false;
  const activities = {
    'find-live-site': () => Promise.resolve({ summary: 'live', live: true }),
    'back-up-redis': () => Promise.resolve(part),
    'back-up-config': () => Promise.resolve(part),
    'back-up-database': () => Promise.resolve(part),
    'seal-set': () => Promise.resolve({ summary: 'sealed', standbys: [{ site: 'dr', all: ['dr'] }] }),
    'bring-files': async ({ site, set }: { site: string; set: string }) => {
      brought.push(`${set} to ${site}`);
      await arrives;
      if (refused) throw ApplicationFailure.nonRetryable('the disk is full', 'DISK_TOO_SMALL');
      return { summary: 'gw1 reloaded', brought: ['gw1'] };
    },
  };
  let runs = 0;
  const backUp = (): Promise<BackupResult> =>
    environment.client.workflow.execute('backup', {
      ...{ workflowId: `backup/files-${runs++}`, taskQueue: WORKFLOW_QUEUE },
      args: [BACKUP_INPUT, false],
    }) as Promise<BackupResult>;
  const told = ({ steps, warnings }: BackupResult) => ({
    summary: steps.find(({ id }) => id === 'bring-files')?.summary,
    warnings,
  });
  await withWorkers(environment, { primary: activities, dr: activities }, async () => {
    expect(told(await backUp())).toEqual({ summary: 'gw1 reloaded', warnings: undefined });
    expect(brought).toEqual([`${BACKUP_INPUT.set} to dr`]);

    refused = true;
    expect(told(await backUp())).toEqual({
      summary: 'not brought',
      warnings: ['the files were not brought to dr: DISK_TOO_SMALL: the disk is full'],
    });

    refused = false;
    let resolve = (): void => undefined;
    arrives = new Promise<void>((done) => (resolve = done));
    const first = backUp();
    const files = environment.client.workflow.getHandle(filesId('acme'));
    await expect.poll(async () => (await files.describe()).status.name).toBe('RUNNING');
    expect(told(await backUp()).summary).toBe('others are being brought at this moment');
    resolve();
    expect(told(await first).summary).toBe('gw1 reloaded');
  });
});
