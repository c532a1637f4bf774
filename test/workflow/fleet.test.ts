import { setTimeout as sleep } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTurn } from '../../cli/fleet-start.ts';
import { fleetClass, type FleetRecord } from '../../domain/fleet.ts';
import { lockId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { StepInput } from '../../domain/plan.ts';
import { awaitFleet, begin, fleetInput, ready } from '../harness/fleet.ts';
import { fails, fakes, type Fakes } from '../harness/recover-input.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';
import { awaitState, waiting } from '../harness/told-run.ts';

/** Several deployments that have lost the same site, with real runs and their real locks. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

/** `order` lists the deployments as their runs began. */
async function told<T>(overrides: Fakes, work: (order: string[]) => Promise<T>): Promise<T> {
  const order: string[] = [];
  const { activities } = fakes({
    'check-backup': async ({ plan }: StepInput) => {
      order.push(plan.deployment);
      return undefined as never;
    },
    ...overrides,
  });
  return withWorkers(environment, { primary: activities, dr: activities }, () => work(order));
}

const lock = (deployment: string) => environment.client.workflow.getHandle(lockId(deployment));
const byName = ({ members }: FleetRecord, name: string) =>
  members.find(({ deployment }) => deployment === name)!;

/** Holds the named deployment in its first step until it is let go. */
function held(...names: string[]): { fakes: Fakes; letGo: () => void } {
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const wait = async ({ plan }: StepInput) => {
    if (names.includes(plan.deployment)) await gate;
    return undefined as never;
  };
  return { fakes: { 'check-target': wait }, letGo };
}

describe('a fleet', () => {
  test('goes by tier whatever the order of asking, and one that comes late overtakes all that wait', async () => {
    const { fakes: gated, letGo } = held('c-first');
    await told(gated, async (order) => {
      const handle = await begin(environment, fleetInput('east', { all: 1 }), [
        ready('d-dev', 'development'),
        ready('c-first', 'critical'),
        ready('b-important', 'important'),
      ]);
      await awaitFleet(handle, ({ members }) => members.length === 3);
      await startTurn(environment.client, 'east', 'recover', ready('z-late', 'critical'), 'FAIL');
      await awaitFleet(handle, ({ members }) => members.length === 4);
      letGo();
      const record = (await handle.result()) as FleetRecord;
      expect(order).toEqual(['c-first', 'z-late', 'b-important', 'd-dev']);
      expect(record.members.map(({ ending }) => ending?.outcome)).toEqual(Array(4).fill('RECOVERED'));
      expect(fleetClass(record)).toBe('recovered');
    });
  });

  test('is not held up by one that fails or waits for a person, and says what became of each', async () => {
    const only = (name: string, code: string) => {
      const fail = fails(code);
      return async ({ plan }: StepInput) => (plan.deployment === name ? fail() : (undefined as never));
    };
    const overrides = {
      'check-target': only('refused', 'PORT_TAKEN'),
      'start-gateways': only('stands', 'SERVICE_FAILED'),
    };
    await told(overrides, async () => {
      const handle = await begin(environment, fleetInput('west', { all: 1 }), [
        ready('stands', 'critical'),
        ready('refused', 'important'),
        ready('goes', 'development'),
      ]);
      const seen = await awaitFleet(
        handle,
        (record) => record.members.length === 3 && byName(record, 'goes').state === 'ended',
      );
      expect(byName(seen, 'stands')).toMatchObject({
        state: 'person',
        waitsFor: expect.stringContaining('start-gateways') as string,
      });
      await awaitState(lock('stands'), waiting);
      await lock('stands').executeUpdate('abort', { args: [{ actor: 'ann', reason: 'no' }] });
      const record = (await handle.result()) as FleetRecord;
      expect(byName(record, 'goes').ending).toMatchObject({ outcome: 'RECOVERED' });
      expect(byName(record, 'refused').ending).toEqual({ outcome: 'REFUSED', error: 'it is PORT_TAKEN' });
      expect(byName(record, 'stands').ending?.outcome).toBe('ABORTED');
      expect(fleetClass(record)).toBe('failed');
    });
  });

  test('keeps the limits of a repository, and lets others past those that wait for it', async () => {
    const { fakes: gated, letGo } = held('r1-a', 'r1-b', 'r2-a');
    await told(gated, async (order) => {
      const of = (repository: string) => ({ repository });
      const handle = await begin(environment, fleetInput('north', { perRepository: 1 }), [
        ready('r1-a', 'critical', of('r1')),
        ready('r1-b', 'critical', of('r1')),
        ready('r2-a', 'development', of('r2')),
      ]);
      const seen = await awaitFleet(
        handle,
        (record) => record.members.length === 3 && byName(record, 'r2-a').state === 'running',
      );
      const states = [byName(seen, 'r1-a').state, byName(seen, 'r1-b').state];
      expect(states.sort()).toEqual(['queued', 'running']);
      letGo();
      await handle.result();
      expect([...order].sort()).toEqual(['r1-a', 'r1-b', 'r2-a']);
    });
  });

  test('leaves a run alone that holds a lock already', async () => {
    const { fakes: gated, letGo } = held('taken');
    await told(gated, async () => {
      const { input } = ready('taken', 'critical');
      const before = await environment.client.workflow.start('recover', {
        workflowId: lockId('taken'),
        taskQueue: WORKFLOW_QUEUE,
        args: [input],
      });
      const handle = await begin(environment, fleetInput('south'), [
        ready('taken', 'critical'),
        ready('free', 'standard'),
      ]);
      const record = (await handle.result()) as FleetRecord;
      expect(byName(record, 'taken').ending).toMatchObject({
        outcome: 'NOT_STARTED',
        error: expect.stringContaining('run/taken is held') as string,
      });
      expect(byName(record, 'free').ending?.outcome).toBe('RECOVERED');
      expect((await before.describe()).status.name).toBe('RUNNING');
      letGo();
      await before.result();
    });
  });

  test('that is stopped begins nobody else, and lets those that run come to their end', async () => {
    const { fakes: gated, letGo } = held('begun');
    await told(gated, async (order) => {
      const handle = await begin(environment, fleetInput('centre', { all: 1 }), [
        ready('begun', 'critical'),
        ready('queued', 'standard'),
      ]);
      await awaitFleet(handle, ({ members }) => members.length === 2);
      await expect(handle.executeUpdate('stop', { args: [{ actor: 'ann', reason: '' }] })).rejects.toThrow();
      await handle.executeUpdate('stop', { args: [{ actor: 'ann', reason: 'the site is back' }] });
      letGo();
      const record = (await handle.result()) as FleetRecord;
      expect(order).toEqual(['begun']);
      expect(byName(record, 'begun').ending?.outcome).toBe('RECOVERED');
      expect(byName(record, 'queued').ending).toEqual({
        outcome: 'NOT_STARTED',
        error: 'the fleet was stopped by ann: the site is back',
      });
    });
  });

  test('goes on where it was when its worker is gone for a while', async () => {
    let handle: Awaited<ReturnType<typeof begin>>;
    const members = ['a', 'b', 'c'].map((name) => ready(`w-${name}`, 'standard'));
    await told({}, async (order) => {
      handle = await begin(environment, fleetInput('islands', { all: 1 }), members);
      while (order.length === 0) await sleep(20);
    });
    await told({}, async () => {
      const record = (await handle.result()) as FleetRecord;
      expect(record.members.map(({ ending }) => ending?.outcome)).toEqual(Array(3).fill('RECOVERED'));
    });
    const runs = environment.client.workflow.list({ query: "WorkflowType = 'recover'" });
    const counts = new Map<string, number>();
    for await (const { workflowId } of runs) counts.set(workflowId, (counts.get(workflowId) ?? 0) + 1);
    for (const { asking } of members) expect(counts.get(lockId(asking.deployment))).toBe(1);
  });
});
