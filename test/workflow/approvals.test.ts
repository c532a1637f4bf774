import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApprovalArgs, ApprovalPolicy } from '../../domain/approvals.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { recoverInput } from '../harness/recover-input.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import { startTemporal } from '../harness/temporal.ts';
import { awaitState, refused, rowOf, send, toldRun } from '../harness/told-run.ts';

/** A run that needs other people's word before it goes on. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const recover = (...args: Parameters<typeof toldRun> extends [unknown, ...infer Rest] ? Rest : never) =>
  toldRun(environment, ...args);

const POLICY: ApprovalPolicy = {
  step: 'switch-traffic',
  count: 1,
  roles: ['commander'],
  timeoutMs: 600_000,
  onTimeout: 'escalate',
};

/** A run that `tester` has started. */
const inputWith = (policy: Partial<ApprovalPolicy> = {}): RecoverInput =>
  recoverInput({}, { ...FULL_SHAPE, approvals: [{ ...POLICY, ...policy }] });

const asked = (record: RunRecord): boolean => rowOf(record, 'switch-traffic').needsApproval !== undefined;

const by = (actor: string, more: Partial<ApprovalArgs> = {}): ApprovalArgs => ({
  actor,
  step: 'switch-traffic',
  reason: 'agreed',
  ...more,
});

const ARMOUR = (body: string): string =>
  `-----BEGIN SSH SIGNATURE-----\n${body}\n-----END SSH SIGNATURE-----\n`;

describe('a step that needs approval', () => {
  test('waits for two people, of whom the starter is none and nobody is two', async () => {
    const { record, calls } = await recover(inputWith({ count: 2 }), {}, async (handle) => {
      const waiting = await awaitState(handle, asked);
      expect(rowOf(waiting, 'switch-traffic')).toMatchObject({
        state: 'waiting',
        needsApproval: { count: 2, roles: ['commander'], onTimeout: 'escalate' },
      });
      const { memo } = await handle.describe();
      expect(memo?.['summary']).toMatchObject({
        waiting: [{ step: 'switch-traffic', approval: { count: 2 } }],
      });
      expect(await refused(send(handle, 'approve', by(' Tester')))).toMatchObject({
        code: 'APPROVAL_REFUSED',
        message: expect.stringContaining('the starter does not count') as string,
      });
      expect(await send(handle, 'approve', by('ann'))).toBe(
        'approved: switch-traffic, 1 of 2; it still waits',
      );
      expect((await refused(send(handle, 'approve', by('ANN')))).message).toContain('one person counts once');
      for (const bad of [
        {},
        by('bob', { reason: ' ' }),
        by('bob', { reason: 'two\nlines' }),
        by('bob', { step: 'switch-trafic' }),
        by('bob', { signature: 'abc' }),
        by('x'.repeat(101)),
      ])
        expect((await refused(send(handle, 'approve', bad))).code, JSON.stringify(bad)).toBe('BAD_ARGUMENT');
      await send(handle, 'approve', by('bob'));
    });
    expect(record.outcome).toBe('RECOVERED');
    expect(record.approvals).toMatchObject([
      { step: 'switch-traffic', actor: 'ann', reason: 'agreed', identity: 'asserted' },
      { actor: 'bob' },
    ]);
    // What the validator refuses leaves no trace; only what was refused after a look is kept.
    expect(record.refusedApprovals).toEqual([]);
    expect(record.waits).toMatchObject([{ kind: 'approval', until: expect.any(String) as string }]);
    expect(calls.filter((call) => call === 'check-approval')).toHaveLength(2);
  });

  test('is approved once: of two at the same time the first counts, the second is told who did', async () => {
    const { record } = await recover(inputWith(), {}, async (handle) => {
      await awaitState(handle, asked);
      const both = await Promise.allSettled(['ann', 'bob'].map((who) => send(handle, 'approve', by(who))));
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const first = both[0]!.status === 'fulfilled' ? 'ann' : 'bob';
      const loser = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
      expect(await refused(Promise.reject(loser.reason as Error))).toMatchObject({
        code: 'ALREADY_DECIDED',
        message: expect.stringContaining(`${first} decided approve for switch-traffic`) as string,
      });
    });
    expect(record.approvals).toHaveLength(1);
  });

  test('keeps what was refused: another run’s, another plan’s, the same again, and what the worker refuses', async () => {
    const input = inputWith({ count: 2 });
    const signed = (more: Partial<ApprovalArgs> = {}): ApprovalArgs =>
      by('ann', {
        run: input.run,
        plan: input.planDigest,
        at: new Date().toISOString(),
        signature: ARMOUR('c2lnbmVkIGJ5IGFubg=='),
        ...more,
      });
    const checked = (_: unknown, args: ApprovalArgs) =>
      args.actor === 'mallory'
        ? Promise.reject(
            ApplicationFailure.create({ message: 'not hers', type: 'APPROVAL_REFUSED', nonRetryable: true }),
          )
        : Promise.resolve({ summary: 'signed', identity: 'proven', key: 'SHA256:x' });
    const { record } = await recover(input, { 'check-approval': checked }, async (handle) => {
      await awaitState(handle, asked);
      for (const replayed of [
        signed({ run: 'rec-another' }),
        signed({ plan: 'o'.repeat(64) }),
        signed({ step: 'fence-source' }),
        signed({ actor: 'mallory' }),
      ])
        await refused(send(handle, 'approve', replayed));
      await send(handle, 'approve', signed());
      // The line breaks make it no other signature.
      await refused(send(handle, 'approve', signed({ signature: ARMOUR('c2lnbmVk\nIGJ5IGFubg==') })));
      await send(handle, 'approve', by('bob'));
      const { refusedApprovals } = await awaitState(handle, (run) => !asked(run));
      expect(refusedApprovals).toHaveLength(5);
      // Also when nothing waits any more.
      await refused(send(handle, 'approve', signed()));
    });
    expect(record.refusedApprovals!.map(({ why }) => why)).toEqual([
      expect.stringContaining('it was signed for the run rec-another'),
      expect.stringContaining('it was signed for another plan, oooooooooooo'),
      expect.stringContaining("is not waiting for 'approve'"),
      'not hers',
      expect.stringContaining('the same signature was given before'),
      expect.stringContaining('the same signature was given before'),
    ]);
    expect(record.approvals).toMatchObject([
      {
        actor: 'ann',
        identity: 'proven',
        signed: { key: 'SHA256:x', text: expect.stringContaining(`run: ${input.run}\n`) as string },
      },
      { actor: 'bob' },
    ]);
  });

  test('raises the alarm when nobody answers in time, and waits on', async () => {
    const { record } = await recover(inputWith({ timeoutMs: 300 }), {}, async (handle) => {
      const late = await awaitState(handle, (run) => run.waits[0]?.escalatedAt !== undefined);
      expect(late.alarms.map(({ text }) => text)).toContain(
        'escalated: switch-traffic still waits for 1 approval of role commander: 0 given',
      );
      expect(rowOf(late, 'switch-traffic').state).toBe('waiting');
      await send(handle, 'approve', by('ann'));
    });
    expect(record.outcome).toBe('RECOVERED');
  });

  test('gives the run up when its policy says so, and then undoes it', async () => {
    const { record, failedAs, calls } = await recover(inputWith({ timeoutMs: 300, onTimeout: 'abort' }));
    expect(failedAs).toBe('ABORTED');
    expect(record.error!.message).toContain(
      'switch-traffic was not approved in time: 0 of 1 approval of role commander',
    );
    expect(calls).toContain('stop-target');
    expect(calls).not.toContain('switch-traffic');
  });
});
