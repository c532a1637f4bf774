import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import type { Door } from '../../cli/client.ts';
import { lookAtAll } from '../../cli/fleet-look.ts';
import { startTurn } from '../../cli/fleet-start.ts';
import { main } from '../../cli/main.ts';
import { sendUpdate } from '../../cli/send-update.ts';
import type { Config } from '../../domain/config.ts';
import { FLEET_STOP, fleetClass, type FleetRecord } from '../../domain/fleet.ts';
import { lockId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { RecoverPlan, StepInput } from '../../domain/plan.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { captured } from '../harness/captured.ts';
import { awaitFleet, begin, fleetInput, held, ready } from '../harness/fleet.ts';
import { fails, fakes, type Fakes } from '../harness/recover-input.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';
import { awaitState, waiting } from '../harness/told-run.ts';

/** Several deployments that have lost the same site, with real runs and their real locks. */

const SUGGESTED_EVENTS = 30;
let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  // A fleet of three is told in several histories, as one of hundreds would be.
  environment = await startTemporal([
    '--dynamic-config-value',
    `limit.historyCount.suggestContinueAsNew=${SUGGESTED_EVENTS}`,
  ]);
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

/** How many there were of this id, each history that was continued as new by itself. */
async function executions(workflowId: string): Promise<number> {
  const runs = environment.client.workflow.list({ query: `WorkflowId = '${workflowId}'` });
  let count = 0;
  for await (const { runId } of runs) count += runId === '' ? 0 : 1;
  return count;
}

const lock = (deployment: string) => environment.client.workflow.getHandle(lockId(deployment));
const byName = ({ members }: FleetRecord, name: string) =>
  members.find(({ deployment }) => deployment === name)!;

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

  test('refuses a stop without a reason in the words of the table; one that no worker takes ends soon', async () => {
    const door = { client: environment.client } as unknown as Door;
    const { fakes: gated, letGo } = held('told');
    const update = { kind: FLEET_STOP, to: 'the fleet of lands' };
    let handle!: Awaited<ReturnType<typeof begin>>;
    await told(gated, async () => {
      handle = await begin(environment, fleetInput('lands', { all: 1 }), [ready('told', 'critical')]);
      await awaitFleet(handle, ({ members }) => members.length === 1);
      await expect(
        sendUpdate(door, handle, { ...update, args: { actor: 'ann', reason: 'x\ny' } }),
      ).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
        message: expect.stringMatching(/^reason is /) as string,
      });
      letGo();
      await handle.result();
    });
    const alone = await environment.client.workflow.start('fleet', {
      ...{ workflowId: 'fleet/nobody', taskQueue: WORKFLOW_QUEUE, args: [fleetInput('nobody', { all: 1 })] },
    });
    await expect(
      sendUpdate(door, alone, { ...update, args: { actor: 'ann', reason: 'x' }, deadlineMs: 500 }),
    ).rejects.toMatchObject({
      code: 'DECISION_NOT_TAKEN',
      message: expect.stringContaining("has taken 'stop' of the fleet of lands") as string,
      next: undefined,
    });
    await alone.terminate();
  });

  test('goes on where it was when its worker is gone for a while, also in a new history, and does nothing twice', async () => {
    let handle: Awaited<ReturnType<typeof begin>>;
    const members = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ready(`w-${name}`, 'standard'));
    await told({}, async (order) => {
      handle = await begin(environment, fleetInput('islands', { all: 1 }), members);
      while (order.length === 0) await sleep(20);
    });
    await told({}, async () => {
      const record = (await handle.result()) as FleetRecord;
      expect(record.members.map(({ ending }) => ending?.outcome)).toEqual(Array(6).fill('RECOVERED'));
    });
    for (const { asking } of members) expect(await executions(lockId(asking.deployment))).toBe(1);
    expect(await executions('fleet/islands')).toBeGreaterThan(1);
  });
});

describe('before a fleet', () => {
  test('each is looked at by itself: what keeps one from its recovery keeps no other', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-fleet-'));
    const { configFile, deployment } = await writeDeployment(dir, {});
    const { primary, dr } = deployment.sites;
    const onWorker = (worker: string) => ({
      ...deployment,
      sites: { primary: primary!, dr: { ...dr!, worker } },
    });
    const config = {
      ...(await loadConfig(configFile)),
      deployments: {
        fine: deployment,
        'no-set': deployment,
        away: onWorker('gone'),
        'away-too': onWorker('gone'),
        drifted: { ...deployment, tier: 'standard' as const },
        single: { ...deployment, sites: { primary: primary! } },
        taken: deployment,
      },
    };
    const door: Door = {
      ...{ config, client: environment.client, address: '', namespace: 'default' },
      close: async () => undefined,
    };
    const answers = {
      'answer-ping': async () => ({ digest: configDigest(deployment), now: new Date().toISOString() }),
      'forecast-recovery': async ({ deployment: name }: RecoverPlan) =>
        name === 'no-set' ? fails('NO_BACKUP')() : { forecast: { totalMs: 90_000, parts: [] } },
    };
    const looked = await withWorkers(environment, { dr: answers }, async () => {
      const holder = await environment.client.workflow.start('recover', {
        workflowId: lockId('taken'),
        taskQueue: 'nobody-serves-it',
        args: [ready('taken', 'critical').input],
        memo: { run: 'rec-before' },
      });
      const request = {
        ...{ site: 'primary', runbook: 'recover' as const, scenario: 'regional' as const },
        ...{ actor: 'ann', reason: 'x', declaredAt: '2026-11-24T03:00:00.000Z', snapshots: true },
        onFailure: 'ask' as const,
      };
      const found = await lookAtAll(door, request, Object.keys(config.deployments));
      await holder.terminate();
      return found;
    });
    await rm(dir, { recursive: true });
    expect(looked.ready.map(({ asking }) => asking)).toMatchObject([
      { deployment: 'fine', to: 'dr', workers: ['dr'], expectedMs: 90_000, priority: 1 },
    ]);
    expect(JSON.stringify(looked.ready)).not.toContain(dir);
    expect(looked.notTaken.map(({ deployment: name, kind, why }) => `${name}: ${kind}: ${why}`)).toEqual([
      'away: refused: no worker answers on the task queue tyk-dr.gone',
      'away-too: refused: no worker answers on the task queue tyk-dr.gone',
      expect.stringMatching(/^drifted: refused: the worker dr has another configuration/),
      'no-set: refused: it is NO_BACKUP',
      'single: left-out: it has no other site than primary',
      'taken: locked: run/taken is held by rec-before; it was not disturbed',
    ]);
  });
});

describe('recover --all', () => {
  test('recovers whom the loss concerns, says what became of each, and ends as the worst of them', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-fleet-'));
    const { configFile } = await writeDeployment(dir, {});
    const written = parse(await readFile(configFile, 'utf8')) as { deployments: Record<string, object> };
    const { acme } = written.deployments;
    const deployments = {
      apples: { ...acme, tier: 'standard' },
      pears: acme,
      plums: { ...acme, sites: { elsewhere: (acme as { sites: { dr: object } }).sites.dr } },
    };
    const temporal = { address: environment.address };
    await writeFile(configFile, stringify({ ...written, temporal, deployments, fleet: { all: 1 } }));
    const config: Config = await loadConfig(configFile);
    const { activities } = fakes({
      'start-gateways': async ({ plan }: StepInput) =>
        plan.deployment === 'apples' ? fails('SERVICE_FAILED')() : (undefined as never),
    });
    const onDr = {
      ...activities,
      'answer-ping': async (name: string) => ({
        digest: configDigest(config.deployments[name]!),
        now: new Date().toISOString(),
      }),
      'forecast-recovery': async () => ({ forecast: { totalMs: 90_000, parts: [] } }),
    };
    const [out, err] = [captured('stdout'), captured('stderr')];
    const command = (...words: string[]) => main(['node', 'tyk-dr', '--config', configFile, ...words]);
    try {
      await withWorkers(environment, { primary: activities, dr: onDr }, async () => {
        await command(
          ...['recover', '--all', '--site', 'primary', '--on-failure', 'abort'],
          ...['--actor', 'ann', '--reason', 'the region is gone'],
        );
        expect(process.exitCode).toBe(12);
        expect(err()).toContain('left out: plums: it has no site primary');
        expect(err()).toMatch(/the last of 2 deployments is verified about .*, in 3 min 00 s/);
        expect(out()).toMatch(/ENDED {2}fleet of primary: 1 of 2 recovered, .*1 not recovered/);
        expect(out()).toMatch(/1 critical +pears +rec-\S+ +RECOVERED/);
        expect(out()).toMatch(
          /3 standard +apples +rec-\S+ +FAILED_UNDONE +not reached .*it is SERVICE_FAILED/,
        );
        const folder = join(dir, 'pages');
        process.exitCode = undefined;
        await command('fleet', 'show', 'primary', '--format', 'html', '--out', folder);
        expect(process.exitCode).toBe(12);
        const page = await readFile(join(folder, 'fleet.html'), 'utf8');
        expect(page).toContain('<b>1 of 2</b> recovered');
        const links = [...page.matchAll(/<a href="([^"]+)"/g)].map(([, file]) => file!);
        expect(links).toHaveLength(2);
        for (const file of links)
          expect(await readFile(join(folder, file), 'utf8')).toMatch(/<h1>(RECOVERED|FAILED_UNDONE)/);
        const before = out().length;
        process.exitCode = undefined;
        await command('fleet', 'show', 'primary', '--json');
        expect(process.exitCode).toBe(12);
        const shown = JSON.parse(out().slice(before)) as FleetRecord;
        expect(shown).toMatchObject({
          ...{ version: 1, format: 'tyk-dr/fleet/v1', actor: 'ann', limits: { all: 1, perWorker: 2 } },
        });
        // In the order in which they asked for their turn, which is nobody's business.
        const ended = shown.members.map(({ deployment, ending }) => `${deployment} ${ending?.outcome}`);
        expect(ended.sort()).toEqual(['apples FAILED_UNDONE', 'pears RECOVERED']);
        await command('fleet', 'stop', 'primary', '--reason', 'too late');
        expect(err()).toContain('the fleet of the site primary has ended');
        await command('fleet', 'add', 'plums', '--site', 'primary', '--reason', 'late');
        expect(err()).toContain('the fleet of the site primary has ended');
      });
    } finally {
      vi.restoreAllMocks();
      process.exitCode = undefined;
      await rm(dir, { recursive: true });
    }
  });
});
