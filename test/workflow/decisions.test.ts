import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fails, recoverInput } from '../harness/recover-input.ts';
import { startTemporal } from '../harness/temporal.ts';
import { awaitState, refused, rowOf, send, toldRun, waiting } from '../harness/told-run.ts';

/** What people decide about a run that waits, and what becomes of it. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const recover = (...args: Parameters<typeof toldRun> extends [unknown, ...infer Rest] ? Rest : never) =>
  toldRun(environment, ...args);

const ANN = { actor: 'ann', reason: 'I have looked' };

describe('a step that has failed for good', () => {
  test('shows its error, its hint and what the tool said last, wherever the decision is asked', async () => {
    const output = ['first line', 'ERROR: [055] no such | file', 'last line'].join('\n');
    const { record } = await recover(
      recoverInput(),
      { 'restore-database-data': fails('TOOL_FAILED', 1, { hint: '', output }) },
      async (handle) => {
        const shown = await awaitState(handle, waiting);
        expect(rowOf(shown, 'restore-database-data')).toMatchObject({
          error: { code: 'TOOL_FAILED', output, hint: 'The last lines of the tool say why.' },
          choices: ['retry', 'done', 'undo', 'abort'],
        });
        const { memo } = await handle.describe();
        expect(memo?.['summary']).toMatchObject({
          waiting: [{ step: 'restore-database-data', output, choices: ['retry', 'done', 'undo', 'abort'] }],
        });
        const { currentDetails } = await handle.query<{ currentDetails: string }>(
          '__temporal_workflow_metadata',
        );
        expect(currentDetails).toContain(output);
        expect(currentDetails).toContain('updates `retry`, `done`, `undo`, `abort`');
        await send(handle, 'retry', ANN);
      },
    );
    expect(record.outcome).toBe('RECOVERED');
  });

  test('may be skipped where nothing depends on it; the rest is still proven, and it is an exception', async () => {
    const { record, calls } = await recover(
      recoverInput(),
      { 'prove-analytics': fails('PROOF_FAILED') },
      async (handle) => {
        await awaitState(handle, waiting);
        expect(await send(handle, 'skip', { ...ANN, step: 'prove-analytics' })).toBe('skip: prove-analytics');
      },
    );
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(rowOf(record, 'prove-analytics')).toMatchObject({
      state: 'skipped',
      summary: 'skipped by ann: I have looked',
      error: { code: 'PROOF_FAILED' },
    });
    expect(rowOf(record, 'switch-traffic').reliesOn).toEqual(['prove-analytics (skipped)']);
    expect(record.exceptions).toEqual(['prove-analytics: skipped by ann: I have looked']);
    expect(calls).toContain('prove-traffic');
    expect(record.phases.find(({ phase }) => phase === 'verification')!.endedAt).toBeDefined();
  });

  test('may be made by hand where a later step sees it, and that step still runs', async () => {
    const { record, calls } = await recover(
      recoverInput(),
      { 'restore-redis-data': fails('DISK_FAILED') },
      async (handle) => {
        await awaitState(handle, waiting);
        await send(handle, 'done', { ...ANN, step: 'restore-redis-data' });
      },
    );
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions).toEqual(['restore-redis-data: made by hand, says ann: I have looked']);
    expect(calls.filter((call) => call === 'restore-redis-data')).toHaveLength(1);
    expect(calls).toContain('prove-redis');
    expect(rowOf(record, 'start-redis').reliesOn).toEqual(['restore-redis-data (by hand)']);
    expect(record.clock.map(({ name }) => name)).toContain('data restored');
  });

  test('whose hand-made effect is not there ends in the step that sees it', async () => {
    const { failedAs } = await recover(
      recoverInput(),
      { 'start-redis': fails('SERVICE_FAILED'), 'prove-redis': fails('STORE_UNREACHABLE') },
      async (handle) => {
        await awaitState(handle, waiting);
        await send(handle, 'done', { ...ANN, step: 'start-redis' });
        await awaitState(handle, (record) => rowOf(record, 'prove-redis').state === 'waiting');
        await send(handle, 'abort', ANN);
      },
    );
    expect(failedAs).toBe('ABORTED');
  });

  test('is undone on demand, and waits again; an undo that fails says so', async () => {
    let undos = 0;
    const { record, calls } = await recover(
      recoverInput(),
      {
        'restore-redis-data': fails('TOOL_FAILED', 1),
        'undo-switch': () =>
          ++undos === 1
            ? Promise.reject(
                ApplicationFailure.create({
                  message: 'it is busy',
                  type: 'TARGET_IS_ANOTHER',
                  nonRetryable: true,
                }),
              )
            : Promise.resolve({ summary: 'the old data are back' }),
      },
      async (handle) => {
        await awaitState(handle, waiting);
        await send(handle, 'undo', ANN);
        await awaitState(handle, (record) => waiting(record) && record.decisions[0]?.result !== undefined);
        await send(handle, 'undo', { ...ANN, step: 'restore-redis-data' });
        await awaitState(handle, (record) => waiting(record) && record.decisions[1]?.result !== undefined);
        await send(handle, 'retry', ANN);
      },
    );
    expect(record.decisions.map(({ result }) => result)).toEqual([
      'the undo failed: it is busy',
      'undone: the old data are back',
      undefined,
    ]);
    expect(calls.filter((call) => call === 'undo restore-redis-data')).toHaveLength(2);
    expect(record.outcome).toBe('RECOVERED');
  });

  test('is offered only what fits it, and a decision names the step where more than one waits', async () => {
    await recover(
      recoverInput(),
      { 'start-redis': fails('SERVICE_FAILED', 1), 'start-database': fails('SERVICE_FAILED', 1) },
      async (handle) => {
        await awaitState(
          handle,
          (record) => record.steps.filter(({ state }) => state === 'waiting').length === 2,
        );
        expect(await refused(send(handle, 'skip', { ...ANN, step: 'start-redis' }))).toMatchObject({
          code: 'CHOICE_NOT_OFFERED',
          message: expect.stringMatching(
            /'skip' is not offered for start-redis of .*: retry, done, abort$/,
          ) as string,
        });
        expect(await refused(send(handle, 'done', ANN))).toMatchObject({
          code: 'BAD_ARGUMENT',
          message: "step is 'missing'; expected one of start-redis, start-database",
        });
        expect((await refused(send(handle, 'retry', { ...ANN, step: 'start-radis' }))).message).toBe(
          "step is 'start-radis'; expected a waiting step: start-redis, start-database",
        );
        await send(handle, 'retry', ANN);
      },
    );
  });

  test('of a worker with another configuration goes on with it only by word, which is an exception', async () => {
    const seen: unknown[] = [];
    const digest = 'ab12cd34ef56';
    const drifts = fails('CONFIG_DRIFT', 1);
    const { record } = await recover(
      recoverInput(),
      {
        'start-redis': (input) => {
          seen.push(input.acceptedConfigs);
          return drifts();
        },
      },
      async (handle) => {
        await awaitState(handle, waiting);
        expect((await refused(send(handle, 'retry', { ...ANN, acceptConfig: 'yes' }))).code).toBe(
          'BAD_ARGUMENT',
        );
        await send(handle, 'retry', { ...ANN, acceptConfig: digest });
      },
    );
    expect(seen).toEqual([undefined, [digest]]);
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions[0]).toMatch(
      /^configuration ab12cd34ef56 was accepted beside .* by ann: I have looked$/,
    );
  });
});

describe('two people', () => {
  test('who decide at once: the first counts, the second is told who did', async () => {
    const { record } = await recover(
      recoverInput(),
      { 'start-redis': fails('SERVICE_FAILED', 1) },
      async (handle) => {
        await awaitState(handle, waiting);
        const both = await Promise.allSettled([
          send(handle, 'retry', { actor: 'ann', reason: 'mended' }),
          send(handle, 'done', { actor: 'bob', reason: 'by hand', step: 'start-redis' }),
        ]);
        const [first, second] = both[0].status === 'fulfilled' ? ['ann', 'bob'] : ['bob', 'ann'];
        const loser = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
        const { code, message } = await refused(Promise.reject(loser.reason as Error));
        expect(code).toBe('ALREADY_DECIDED');
        expect(message).toContain(
          `${first} decided ${first === 'ann' ? 'retry' : 'done'} for start-redis at `,
        );
        expect(message).not.toContain(second);
      },
    );
    expect(record.decisions).toHaveLength(1);
  });
});

describe('a pause', () => {
  test('lets what runs end and nothing begin, counts as waiting, and ends with resume', async () => {
    let release = (): void => undefined;
    const held = new Promise<never>((resolve) => (release = () => resolve(undefined as never)));
    const { record, calls } = await recover(
      recoverInput(),
      { 'claim-target': () => held },
      async (handle) => {
        await awaitState(handle, (run) => rowOf(run, 'claim-target').state === 'running');
        expect((await refused(send(handle, 'resume', ANN))).code).toBe('NOTHING_TO_DECIDE');
        await send(handle, 'pause', ANN);
        expect(await refused(send(handle, 'pause', { actor: 'bob', reason: 'x' }))).toMatchObject({
          code: 'ALREADY_DECIDED',
          message: expect.stringContaining('ann decided pause') as string,
        });
        release();
        const paused = await awaitState(handle, (run) => run.waits.length > 0);
        expect(rowOf(paused, 'claim-target').state).toBe('done');
        expect(paused.paused).toMatchObject(ANN);
        expect(paused.waits[0]).toMatchObject({ kind: 'pause' });
        expect(paused.steps.filter(({ state }) => state === 'running')).toEqual([]);
        await send(handle, 'resume', { actor: 'bob', reason: 'we know enough' });
        expect((await refused(send(handle, 'resume', ANN))).message).toContain('bob decided resume');
      },
    );
    expect(record.outcome).toBe('RECOVERED');
    expect(record.paused).toBeUndefined();
    expect(record.waits.every(({ until }) => until !== undefined)).toBe(true);
    expect(calls).toContain('prove-traffic');
  });

  test('can be ended by an abort', async () => {
    const { failedAs, calls } = await recover(recoverInput(), {}, async (handle) => {
      await send(handle, 'pause', ANN);
      await awaitState(handle, (run) => run.waits.some(({ kind }) => kind === 'pause'));
      await send(handle, 'abort', ANN);
    });
    expect(failedAs).toBe('ABORTED');
    expect(calls).not.toContain('switch-traffic');
  });
});

describe('an abort', () => {
  test('whose undo fails ends stuck, with the state of each component', async () => {
    const { record, failedAs } = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-dashboard': fails('SERVICE_FAILED'),
      'undo-switch': ({ step }) =>
        step === 'restore-redis-data'
          ? fails('TARGET_IS_ANOTHER')()
          : Promise.resolve({ summary: 'old data are back' }),
    });
    expect(failedAs).toBe('STUCK');
    expect(record.componentStates).toMatchObject({
      redis: 'stopped',
      'effect of restore-redis-data': 'NOT undone: it is TARGET_IS_ANOTHER',
      'effect of restore-database-data': 'undone: old data are back',
      'effect of restore-dashboard-config': 'undone: old data are back',
    });
  });

  test('whose stop fails says what runs and what was not undone for it', async () => {
    const { record, failedAs, calls } = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-dashboard': fails('SERVICE_FAILED'),
      'stop-target': fails('SERVICE_FAILED'),
      'look-at-target': () =>
        Promise.resolve({ summary: 'looked', states: { redis: 'running', dashboard: 'stopped' } } as never),
    });
    expect(failedAs).toBe('STUCK');
    expect(calls.filter((call) => call.startsWith('undo'))).toEqual([]);
    expect(record.componentStates).toMatchObject({
      redis: 'running',
      dashboard: 'stopped',
      'effect of restore-redis-data': 'in place, not undone: the target could not be stopped',
    });
  });
});

test('a run whose traffic proof was skipped is not stopped when its close-out is given up', async () => {
  const { record, calls } = await recover(
    recoverInput(),
    { 'prove-traffic': fails('PROOF_FAILED'), 'protect-database': fails('TOOL_FAILED') },
    async (handle) => {
      await awaitState(handle, waiting);
      await send(handle, 'skip', { ...ANN, step: 'prove-traffic' });
      await awaitState(handle, (run) => rowOf(run, 'protect-database').state === 'waiting');
      await send(handle, 'abort', ANN);
    },
  );
  expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
  expect(calls).not.toContain('stop-target');
  // Nobody has seen the traffic: the objective is not reached.
  expect(record.clock.map(({ name }) => name)).not.toContain('traffic verified');
});
