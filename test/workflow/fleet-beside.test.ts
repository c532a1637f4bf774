import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Deps } from '../../activities/guard.ts';
import { createNotifyActivities } from '../../activities/notify.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { main } from '../../cli/main.ts';
import type { Config } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { lockId, WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { Notice } from '../../domain/notice.ts';
import type { StepInput } from '../../domain/plan.ts';
import { captured } from '../harness/captured.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { awaitFleet, begin, fleetInput, held, ready } from '../harness/fleet.ts';
import { drillInput, fakes } from '../harness/recover-input.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** Fleets beside what else there is: standbys, drills in their way, and people who want to know. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTemporal();
}, 60_000);
afterAll(() => environment.teardown());

const lock = (deployment: string) => environment.client.workflow.getHandle(lockId(deployment));

describe('people', () => {
  test('are told of a fleet as a whole: begun, critical ones that are late, ended; each place once', async () => {
    const got: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        const { event, severity, title, lines } = JSON.parse(body) as Notice;
        got.push(`${request.url} ${event} ${severity} ${title} | ${lines.join('; ')}`);
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const notify = (path: string, severity: string) => ({
      channels: { chat: { kind: 'webhook', url: `http://127.0.0.1:${port}/${path}` } },
      routes: [{ severity, channels: ['chat'] }],
    });
    const declared: Record<string, object> = {
      't-late': { notify: notify('ops', 'info'), contacts: [] },
      't-more': { notify: notify('ops', 'info'), contacts: [] },
      't-dev': { notify: notify('dev', 'critical'), contacts: [] },
      't-quiet': { contacts: [] },
    };
    const telling = createNotifyActivities({
      deployment: (name: string) => {
        if (declared[name]) return declared[name];
        throw new DrError('UNKNOWN_DEPLOYMENT', { deployment: name, known: '' });
      },
    } as unknown as Deps);
    const { fakes: gated, letGo } = held('t-dev');
    try {
      const own = { ...fakes(gated).activities, ...telling };
      await withWorkers(environment, { primary: own, dr: own }, async () => {
        const soon = { basisAt: new Date().toISOString() };
        const handle = await begin(environment, { ...fleetInput('told'), notifies: true }, [
          // Its objective is long used up.
          ready('t-late', 'critical', { basisAt: '2020-01-01T00:00:00.000Z' }),
          ready('t-more', 'critical', soon),
          ready('t-dev', 'development', soon),
          ready('t-quiet', 'standard', soon),
          ready('t-unknown', 'standard', soon),
        ]);
        await awaitFleet(handle, ({ told: seen }) => seen !== undefined);
        letGo();
        await handle.result();
      });
    } finally {
      server.close();
    }
    const of = (path: string): string[] => got.filter((line) => line.startsWith(`/${path} `));
    expect(of('ops').map((line) => line.split(' ').slice(1, 3).join(' '))).toEqual([
      'fleet-begun warning',
      'fleet-late critical',
      'fleet-ended info',
    ]);
    expect(of('ops')[0]).toMatch(
      /recover of 5 deployments that lost told has begun \| the region is gone \(ann\); .*2 critical/,
    );
    expect(of('ops')[1]).toMatch(/1 critical deployment that lost told \| t-late: /);
    expect(of('ops')[1]).not.toContain('t-more');
    expect(of('ops')[2]).toMatch(/5 of 5 recovered/);
    // It takes only what is critical.
    expect(of('dev').map((line) => line.split(' ')[1])).toEqual(['fleet-late']);
  });
});

describe('failover --all', () => {
  test('without --to goes with each to its own standby: by the monitor, as the only one, by its mark', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-fleet-'));
    const { configFile } = await writeDeployment(dir, {});
    const written = parse(await readFile(configFile, 'utf8')) as { deployments: Record<string, object> };
    const acme = written.deployments['acme'] as { sites: { primary: object; dr: object } };
    const standby = { ...acme, strategy: 'pilot-light', replication: {} };
    const third = { ...acme.sites.dr, worker: 'third', stateDir: join(dir, 'third', 'state') };
    const three = { ...standby, sites: { ...acme.sites, third } };
    const monitor = { observers: ['primary', 'third'], references: ['idp.example.org:443'], to: 'third' };
    const deployments = {
      apples: standby,
      pears: { ...three, monitor },
      plums: three,
      nuts: { ...three, tier: 'development' },
      roots: acme,
    };
    const temporal = { address: environment.address };
    await writeFile(configFile, stringify({ ...written, temporal, deployments }));
    const config: Config = await loadConfig(configFile);
    const went: string[] = [];
    const { activities } = fakes({
      'check-replicas': async ({ plan }: StepInput) => {
        went.push(`${plan.deployment} to ${plan.to}`);
        return { summary: '', standing: [] } as never;
      },
    });
    const onSite = (site: string) => ({
      ...activities,
      'answer-ping': async (name: string) => ({
        digest: configDigest(config.deployments[name]!),
        now: new Date().toISOString(),
      }),
      'measure-host': async (name: string) => ({
        ...{ site, worker: site, measuredAt: '', live: false, serves: [], points: [], problems: [] },
        replication: {
          ...{ deployment: name, maxLagMs: 1, stores: [] },
          ...(name === 'plums' && site === 'third' ? { follows: 'primary' } : {}),
        },
      }),
    });
    const [out, err] = [captured('stdout'), captured('stderr')];
    const command = (...words: string[]) => main(['node', 'tyk-dr', '--config', configFile, ...words]);
    const all = ['failover', '--all', '--from', 'primary', '--forced', '--actor', 'ann', '--reason', 'dark'];
    const workers = { primary: onSite('primary'), dr: onSite('dr'), third: onSite('third') };
    try {
      await withWorkers(environment, workers, async () => {
        await command(...all, '--on-failure', 'abort');
        expect(went.sort()).toEqual(['apples to dr', 'pears to third', 'plums to third']);
        expect(err()).toContain(
          'REFUSED: nuts: no worker of dr and third says that its site follows primary',
        );
        expect(err()).toMatch(/REFUSED: roots: .*backup-restore/);
        expect(out()).toMatch(/ENDED {2}fleet of primary: 3 of 3 recovered/);
        expect(process.exitCode).toBe(12);

        process.exitCode = undefined;
        await command(...all, '--on-failure', 'abort', '--to', 'third');
        expect(went.slice(3).sort()).toEqual(['pears to third', 'plums to third']);
        expect(err()).toContain('left out: apples: it has no site third');
      });
    } finally {
      vi.restoreAllMocks();
      process.exitCode = undefined;
      await rm(dir, { recursive: true });
    }
  });
});

describe('a drill in the way', () => {
  test('is ended for the fleet, and for a forced failover; the others do not wait for its tear-down', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-fleet-'));
    const { configFile } = await writeDeployment(dir, {});
    const written = parse(await readFile(configFile, 'utf8')) as { deployments: Record<string, object> };
    const { acme } = written.deployments;
    const deployments = { drilled: { ...acme, strategy: 'pilot-light', replication: {} }, free: acme };
    const temporal = { address: environment.address };
    await writeFile(configFile, stringify({ ...written, temporal, deployments }));
    const config: Config = await loadConfig(configFile);
    let letGo = (): void => undefined;
    let gate = Promise.resolve();
    const ended: string[] = [];
    const note =
      (what: string) =>
      async ({ plan, run }: StepInput) => {
        // The tear-down of the drill takes its time.
        if (what === 'stop-target' && plan.drill) await gate;
        if (what !== 'stop-target') ended.push(plan.drill ? run : plan.deployment);
        return undefined as never;
      };
    const { activities } = fakes({
      'stop-target': note('stop-target'),
      'write-record': note('write-record'),
    });
    const onSite = {
      ...activities,
      'answer-ping': async (name: string) => ({
        digest: configDigest(config.deployments[name]!),
        now: new Date().toISOString(),
      }),
      'forecast-recovery': async () => ({ forecast: { totalMs: 90_000, parts: [] } }),
    };
    const begin_ = async (run: string) => {
      gate = new Promise<void>((resolve) => (letGo = resolve));
      const input = drillInput({}, { ...FULL_SHAPE, deployment: 'drilled' });
      const handle = await environment.client.workflow.start('drill', {
        ...{ workflowId: lockId('drilled'), taskQueue: WORKFLOW_QUEUE, memo: { run } },
        args: [{ ...input, run }],
      });
      return handle;
    };
    const err = captured('stderr');
    captured('stdout');
    const command = (...words: string[]) => main(['node', 'tyk-dr', '--config', configFile, ...words]);
    const said = ['--on-failure', 'abort', '--actor', 'ann', '--reason', 'dark'];
    try {
      await withWorkers(environment, { primary: onSite, dr: onSite }, async () => {
        await begin_('drill-1');
        const fleet = command('recover', '--all', '--site', 'primary', ...said);
        // The other one is through while the drill is still torn down.
        await vi.waitUntil(() => ended.includes('free'), { timeout: 30_000 });
        expect(ended).not.toContain('drilled');
        letGo();
        await fleet;
        expect(ended).toEqual(['free', 'drill-1', 'drilled']);
        expect(process.exitCode ?? 0).toBeLessThan(10);
        expect(err()).toContain(
          'the drill drill-1 of drilled is in the way; it is stopped and torn down first',
        );

        await begin_('drill-2');
        const forced = command('failover', 'drilled', '--to', 'dr', '--forced', ...said);
        await vi.waitUntil(() => err().includes('the drill drill-2'), { timeout: 30_000 });
        letGo();
        await forced;
        expect(ended.slice(3)).toEqual(['drill-2', 'drilled']);

        await begin_('drill-3');
        await command('failover', 'drilled', '--to', 'dr', '--graceful', ...said);
        expect(process.exitCode).toBe(11);
        expect(ended).toHaveLength(5);
        await lock('drilled').terminate();
        letGo();
      });
    } finally {
      vi.restoreAllMocks();
      process.exitCode = undefined;
      await rm(dir, { recursive: true });
    }
  }, 90_000);
});
