import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Build } from '../../domain/build.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { eventually } from '../harness/gateway.ts';
import { fails, fakes, recoverInput, type Fakes } from '../harness/recover-input.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';
import { awaitState, heartbeating, toldRun, waiting } from '../harness/told-run.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const recover = (
  input: RecoverInput,
  overrides: Fakes = {},
  meanwhile?: (handle: WorkflowHandle) => Promise<void>,
) => toldRun(environment, input, overrides, meanwhile);

describe('a recovery', () => {
  test('visits exactly the declared steps, each after those that it needs', async () => {
    const { record, calls } = await recover(recoverInput());
    expect(record.outcome).toBe('RECOVERED');
    const planned = record.steps.filter((step) => step.state !== 'not-part').map((step) => step.id);
    expect([...calls].sort()).toEqual([...planned].sort());
    for (const step of RECOVER_STEPS.filter((candidate) => planned.includes(candidate.id))) {
      for (const after of step.after) {
        if (!planned.includes(after)) continue;
        const before = record.steps.find((row) => row.id === after)!;
        const row = record.steps.find((candidate) => candidate.id === step.id)!;
        expect(before.endedAt! <= row.startedAt!, `${step.id} after ${after}`).toBe(true);
      }
    }
    expect(record.clock.map((point) => point.name)).toEqual([
      'declared',
      'started',
      'data restored',
      'traffic verified',
    ]);
  });

  test('shows what a deployment lacks as not part of it', async () => {
    let details = '';
    const { record, calls } = await recover(
      recoverInput({}, { ...FULL_SHAPE, hasDashboard: false, hasDatabase: false }),
      {},
      async (handle) => {
        await handle.result();
        const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
        details = metadata.currentDetails;
      },
    );
    expect(record.outcome).toBe('RECOVERED');
    expect(calls).not.toContain('start-dashboard');
    expect(record.steps.find((step) => step.id === 'start-dashboard')!).toMatchObject({
      state: 'not-part',
      notPartOf: 'deployment',
    });
    expect(details).toMatch(/_not part of this deployment_: .*start-dashboard/);
  });

  test('ends refused, with nothing else called, when a precondition does not hold', async () => {
    const { record, calls, failedAs } = await recover(recoverInput(), {
      'check-target': fails('PORT_TAKEN'),
    });
    expect(failedAs).toBe('REFUSED');
    expect(record.error).toMatchObject({ code: 'PORT_TAKEN', message: 'it is PORT_TAKEN' });
    expect(calls).toEqual(['check-backup', 'check-target']);
  });

  test('waits for a person when a step has failed for good, and goes on when told to retry', async () => {
    const { record } = await recover(
      recoverInput(),
      { 'start-redis': fails('SERVICE_FAILED', 1) },
      async (handle) => {
        await awaitState(handle, waiting);
        await expect(
          handle.executeUpdate('retry', { args: [{ actor: 'ann', reason: ' ' }] }),
        ).rejects.toThrow();
        await handle.executeUpdate('retry', { args: [{ actor: 'ann', reason: 'disk mended' }] });
      },
    );
    expect(record.outcome).toBe('RECOVERED');
    expect(record.decisions).toMatchObject([
      { kind: 'retry', step: 'start-redis', actor: 'ann', reason: 'disk mended' },
    ]);
    expect(record.waits[0]).toMatchObject({
      for: expect.stringContaining('start-redis') as string,
      until: expect.any(String) as string,
    });
  });

  test('can never be plainly RECOVERED when the fence was only asserted, and fences when it can', async () => {
    const input = recoverInput();
    let late: unknown;
    const { record } = await recover(input, { 'fence-source': fails('NOT_FENCED', 1) }, async (handle) => {
      await awaitState(handle, waiting);
      await handle.executeUpdate('confirm', { args: [{ actor: 'ann', reason: 'power is off' }] });
      const fence = environment.client.workflow.getHandle(`fence/acme/${input.run}/primary`);
      // The run starts it after the update was answered.
      late = await eventually(() => fence.result());
    });
    expect(late).toBe('fence-source done');
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions[0]).toContain('power is off');
  });

  test('refuses a confirmation where no fence is in question', async () => {
    await recover(recoverInput(), { 'start-redis': fails('SERVICE_FAILED', 1) }, async (handle) => {
      await awaitState(handle, waiting);
      await expect(
        handle.executeUpdate('confirm', { args: [{ actor: 'ann', reason: 'x' }] }),
      ).rejects.toThrow();
      await handle.executeUpdate('retry', { args: [{ actor: 'ann', reason: 'x' }] });
    });
  });

  test('stops and undoes the target when aborted, last step first, and leaves the traffic', async () => {
    const { record, calls, failedAs } = await recover(
      recoverInput(),
      { 'start-dashboard': fails('SERVICE_FAILED') },
      async (handle) => {
        await awaitState(handle, waiting);
        await handle.executeUpdate('abort', { args: [{ actor: 'ann', reason: 'wrong site' }] });
      },
    );
    expect(failedAs).toBe('ABORTED');
    expect(record.componentStates).toMatchObject({ redis: 'stopped' });
    expect(record.componentStates?.['site primary']).toContain('tyk-dr unfence acme primary');
    expect(calls).not.toContain('switch-traffic');
    const undone = calls.slice(calls.indexOf('stop-target') + 1, -1);
    expect(undone[0]).toBe('undo restore-dashboard-config');
    expect([...undone].sort()).toEqual([
      'undo restore-dashboard-config',
      'undo restore-database-data',
      'undo restore-redis-data',
    ]);
  });

  test('rebuilt in place says so when nobody could look whether another site serves', async () => {
    const inPlace = recoverInput({ to: 'primary', inPlace: true });
    // No worker of dr: only the site's own.
    const { activities } = fakes();
    const record = await withWorkers(environment, { primary: activities }, async () => {
      const handle = await environment.client.workflow.start('recover', {
        workflowId: `run/${inPlace.run}`,
        taskQueue: WORKFLOW_QUEUE,
        args: [inPlace],
      });
      return (await handle.result()) as RunRecord;
    });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions.join()).toContain('nobody has looked whether that site serves');
  });

  test('that finds another site serving is refused before anything is touched', async () => {
    const { failedAs, calls } = await recover(recoverInput({ to: 'primary', inPlace: true }), {
      'check-other-sites': fails('OTHER_SITE_SERVES'),
    });
    expect(failedAs).toBe('REFUSED');
    expect(calls).toEqual(['check-backup', 'check-target', 'check-other-sites']);
  });

  test('asks for a word about the fence whatever kept it from being raised', async () => {
    const { record } = await recover(recoverInput(), { 'fence-source': fails('BUG') }, async (handle) => {
      await awaitState(handle, waiting);
      await handle.executeUpdate('confirm', { args: [{ actor: 'ann', reason: 'its disk is full' }] });
    });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
  });

  test('cancels what is under way when aborted, rather than waiting for its end', async () => {
    const endless = () => Context.current().sleep('10m') as Promise<never>;
    const { failedAs, calls } = await recover(
      recoverInput(),
      { 'start-redis': heartbeating(endless) },
      async (handle) => {
        await awaitState(handle, (record) =>
          record.steps.some((step) => step.id === 'start-redis' && step.state === 'running'),
        );
        // A person, whose account has the name of the program.
        await handle.executeUpdate('abort', { args: [{ actor: 'tyk-dr', reason: 'it hangs' }] });
      },
    );
    expect(failedAs).toBe('ABORTED');
    expect(calls).toContain('undo restore-redis-data');
  });

  test('aborts by itself for machines, and is stuck where even the undo fails', async () => {
    const aborted = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-redis': fails('SERVICE_FAILED'),
    });
    expect(aborted.failedAs).toBe('FAILED_UNDONE');
    const stuck = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-redis': fails('SERVICE_FAILED'),
      'undo-switch': fails('TARGET_IS_ANOTHER'),
    });
    expect(stuck.failedAs).toBe('STUCK');
    expect(stuck.record.exceptions.join()).toContain('the undo failed: it is TARGET_IS_ANOTHER');
  });

  test('whose close-out fails leaves the recovered site serving, and says what is left to do', async () => {
    const { record, calls } = await recover(recoverInput({ onFailure: 'abort' }), {
      'protect-database': fails('TOOL_FAILED'),
    });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(calls).not.toContain('stop-target');
    expect(calls.filter((call) => call.startsWith('undo'))).toEqual([]);
    expect(record.exceptions.join()).toMatch(/left to do: .*protect-database, .*discard-old-data/);
    expect(calls.at(-1)).toBe('write-record');
  });

  test('that was given up leaves its record; one that was refused leaves nothing', async () => {
    const aborted = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-redis': fails('SERVICE_FAILED'),
    });
    expect(aborted.calls.at(-1)).toBe('write-record');
    const refused = await recover(recoverInput(), { 'check-target': fails('PORT_TAKEN') });
    expect(refused.calls).not.toContain('write-record');
  });

  test('whose record cannot be written has recovered all the same, and says so', async () => {
    const { record } = await recover(recoverInput(), { 'write-record': fails('DISK_TOO_SMALL') });
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions.join()).toContain('the record is only in Temporal: it is DISK_TOO_SMALL');
  });

  test('whose worker dies over an undo or over the record has it called again, and is neither stuck nor marked', async () => {
    const undone = await recover(recoverInput({ onFailure: 'abort' }), {
      'start-redis': fails('SERVICE_FAILED'),
      'stop-target': fails('EXPIRED', 1),
      'undo-switch': fails('EXPIRED', 1),
    });
    expect(undone.failedAs).toBe('FAILED_UNDONE');
    expect(undone.calls.filter((call) => call === 'stop-target').length).toBe(2);
    let silent = true;
    const { record } = await recover(recoverInput(), {
      'write-record': async () => {
        const first = silent;
        silent = false;
        // No heartbeat for longer than Temporal waits for one.
        if (first) await sleep(7_000);
        return undefined as never;
      },
    });
    expect(record.outcome).toBe('RECOVERED');
  });

  test('names the builds of the workers that answered, also of one whose step failed, and each once', async () => {
    const [old, next] = ['old', 'next'].map((code) => ({ version: '1', code, workflows: 'w' })) as [
      Build,
      Build,
    ];
    const by = (build: Build, worker = 'dr') => ({ servedBy: [{ worker, build }] });
    const ok = (build: Build) => () => Promise.resolve({ summary: 'ok', ...by(build) });
    const { record } = await recover(recoverInput({ onFailure: 'abort' }), {
      'fence-source': ok(old),
      'claim-target': ok(old),
      'restore-redis-data': () =>
        Promise.reject(
          ApplicationFailure.create({
            type: 'TOOL_FAILED',
            nonRetryable: true,
            details: [{ hint: 'x', ...by(next) }],
          }),
        ),
      'undo-switch': ok({ ...next, code: 'undoing' }),
    });
    expect(record.outcome).toBe('FAILED_UNDONE');
    expect(record.builds).toEqual([
      { worker: 'dr', build: old, step: 'fence-source' },
      { worker: 'dr', build: next, step: 'restore-redis-data' },
      { worker: 'dr', build: { ...next, code: 'undoing' }, step: 'undo-switch' },
    ]);
  });

  test('shows the proofs of a step that failed, and those of its retry instead', async () => {
    const failed = { name: 'a quota counts down', verdict: 'fail', expected: 'fewer', actual: 'none' };
    const passed = { ...failed, verdict: 'pass', actual: '9, then 8' };
    const ofStep = ({ proofs }: RunRecord) =>
      proofs.flatMap(({ step, ...shown }) => (step === 'prove-authentication' ? [shown] : []));
    let calls = 0;
    const { record } = await recover(
      recoverInput(),
      {
        'prove-authentication': () =>
          calls++ === 0
            ? Promise.reject(
                ApplicationFailure.create({
                  message: 'no',
                  type: 'PROOF_FAILED',
                  nonRetryable: true,
                  details: [{ hint: 'x', proofs: [failed] }],
                }),
              )
            : Promise.resolve({ summary: 'ok', proofs: [passed] } as never),
      },
      async (handle) => {
        expect(ofStep(await awaitState(handle, waiting))).toEqual([failed]);
        await handle.executeUpdate('retry', { args: [{ actor: 'ann', reason: 'mended' }] });
      },
    );
    expect(ofStep(record)).toEqual([passed]);
  });

  test('counts its objective from when the disaster began, and says so when it is past', async () => {
    const occurredAt = new Date(Date.now() - 13 * 60_000).toISOString();
    const { record } = await recover(recoverInput({ occurredAt }, FULL_SHAPE, { occurredAt }));
    expect(record.alarms.map((alarm) => alarm.text)).toEqual([
      '50% of the RTO of 15 min 00 s is used (already before the start)',
      '80% of the RTO of 15 min 00 s is used (already before the start)',
    ]);
  });

  test('raises the alarm when the objective is breached and when a phase overruns', async () => {
    const shape = { ...FULL_SHAPE, objectives: { rtoMs: 2_000, rpoMs: 1 } };
    const slow = () => new Promise<never>((resolve) => setTimeout(() => resolve(undefined as never), 2_200));
    const { record } = await recover(recoverInput({}, shape), { 'start-redis': slow });
    const texts = record.alarms.map((alarm) => alarm.text);
    // On a busy machine it may have been breached before the first workflow task ran, and says so.
    expect(texts.filter((text) => text.startsWith('RTO of 2.0 s breached'))).toHaveLength(1);
    expect(texts).toContain('phase redis overran its budget of 500 ms');
  });
});
