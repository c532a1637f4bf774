import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { Notice, NoticeRoute, NoticeTarget } from '../../domain/notice.ts';
import type { RunRecord } from '../../domain/run.ts';
import { tellId } from '../../domain/tell.ts';
import { fakes, recoverInput, type Fakes } from '../harness/recover-input.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** Who is told of a run, and when: on a real Temporal server, with channels that answer as told. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

/** Escalation counts minutes in life. Here the second level is told soon, and the third after the test has given up. */
const AFTER_MS: Readonly<Record<number, number>> = { 1: 700, 2: 300_000 };

let told: string[];
beforeEach(() => {
  told = [];
});

/** Channels `chat` and, from level 2 on, `phone-2` and `phone-3`. */
function channels(tell: (target: NoticeTarget) => Promise<unknown> = () => Promise.resolve()) {
  return {
    'route-notice': ({ severity }: Notice, level: number): Promise<NoticeRoute> =>
      Promise.resolve({
        targets: [{ channel: level === 1 ? 'chat' : `phone-${level}` }],
        people: [],
        ...(severity === 'critical' && level < 3
          ? { next: { level: level + 1, afterMs: AFTER_MS[level]! } }
          : {}),
      }),
    'tell-channel': (notice: Notice, target: NoticeTarget) => {
      told.push(`${target.channel}: ${notice.event}`);
      return tell(target);
    },
  };
}

interface Scene {
  readonly handle: WorkflowHandle;
  readonly teller: WorkflowHandle;
}

async function recover<T>(
  overrides: Fakes,
  tell: ReturnType<typeof channels>,
  meanwhile: (scene: Scene) => Promise<T>,
): Promise<T> {
  const input = recoverInput({}, { ...FULL_SHAPE, notifies: true });
  const activities = { ...fakes(overrides).activities, ...tell };
  return withWorkers(environment, { primary: activities, dr: activities }, async () => {
    const { workflow } = environment.client;
    const handle = await workflow.start('recover', {
      workflowId: `run/${input.run}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
    });
    return meanwhile({ handle, teller: workflow.getHandle(tellId('acme', input.run)) });
  });
}

function failsOnce(): () => Promise<never> {
  let failed = false;
  return () => {
    if (failed) return Promise.resolve(undefined as never);
    failed = true;
    return Promise.reject(
      ApplicationFailure.create({ message: 'no', type: 'SERVICE_FAILED', nonRetryable: true }),
    );
  };
}

const heard = (text: string) => expect.poll(() => told, { timeout: 15_000 }).toContain(text);

test('what waits is told at once, level by level until somebody acknowledges, and the end closes it', async () => {
  const record = await recover({ 'start-redis': failsOnce() }, channels(), async ({ handle, teller }) => {
    await heard('chat: decision-wanted');
    await heard('phone-2: not-acknowledged');
    await expect(handle.executeUpdate('acknowledge', { args: [{ actor: ' ' }] })).rejects.toThrow();
    expect(await handle.executeUpdate('acknowledge', { args: [{ actor: 'ann' }] })).toContain('ann');
    await handle.executeUpdate('retry', { args: [{ actor: 'ann', reason: 'mended' }] });
    const result = (await handle.result()) as RunRecord;
    const story = (await teller.result()) as string[];
    expect(story.join('\n')).toMatch(/acknowledged by ann/);
    return result;
  });
  expect(record.outcome).toBe('RECOVERED');
  expect(record.acknowledgements).toMatchObject([{ actor: 'ann' }]);
  const chat = told.filter((text) => text.startsWith('chat'));
  expect(chat).toEqual(['chat: declared', 'chat: decision-wanted', 'chat: wait-over', 'chat: outcome']);
}, 60_000);

test('channels that never answer delay and fail nothing of the recovery', async () => {
  let release: (() => void) | undefined;
  const never = new Promise<void>((resolve) => (release = resolve));
  await recover(
    {},
    channels(() => never),
    async ({ handle, teller }) => {
      expect(((await handle.result()) as RunRecord).outcome).toBe('RECOVERED');
      // The run is over, and the channels still hang.
      expect((await teller.describe()).status.name).toBe('RUNNING');
      release!();
      await teller.result();
    },
  );
}, 60_000);

test('a bad end is told upwards after the run is over, and can still be acknowledged', async () => {
  const fails = () =>
    Promise.reject<never>(
      ApplicationFailure.create({ message: 'no', type: 'SERVICE_FAILED', nonRetryable: true }),
    );
  await recover({ 'start-redis': fails }, channels(), async ({ handle, teller }) => {
    await heard('chat: decision-wanted');
    await handle.executeUpdate('abort', { args: [{ actor: 'ann', reason: 'wrong site' }] });
    await expect(handle.result()).rejects.toThrow();
    await heard('chat: outcome');
    await expect
      .poll(() => told.slice(told.indexOf('chat: outcome')), { timeout: 15_000 })
      .toContain('phone-2: not-acknowledged');
    expect(await teller.executeUpdate('acknowledge', { args: [{ actor: 'bob' }] })).toContain('bob');
    // It would wait for the third level otherwise.
    await teller.result();
    expect(told).not.toContain('phone-3: not-acknowledged');
  });
}, 60_000);
