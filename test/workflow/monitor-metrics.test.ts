import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../adapters/config/load.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { call } from '../../adapters/tyk/http.ts';
import type { Config } from '../../domain/config.ts';
import { monitor as monitorSection } from '../../domain/config-monitor.ts';
import { serveMetrics } from '../../worker/metrics.ts';
import { wire } from '../../worker/wire.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { DEAD } from '../harness/monitor-views.ts';
import { Stage, until, type Scene } from '../harness/monitor-scene.ts';
import { startTemporal } from '../harness/temporal.ts';
import { send } from '../harness/told-run.ts';

/** What Prometheus reads of a monitor on a real Temporal server, from a worker that only observes. */

let environment: TestWorkflowEnvironment;
let stage: Stage;
let dir: string;
let base: Config;
beforeAll(async () => {
  environment = await startTemporal();
  stage = new Stage(environment);
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  base = await loadConfig((await writeDeployment(dir, {})).configFile);
}, 60_000);
afterAll(async () => {
  await stage.close();
  await environment.teardown();
  await rm(dir, { recursive: true, force: true });
});

function configOf(deployment: string): Config {
  const monitor = monitorSection.parse({
    ...{ observers: ['primary', 'dr', 'witness'], references: ['127.0.0.1:1'] },
    ...{ onFailure: 'start', budgetPerDay: 2 },
  });
  return { ...base, deployments: { [deployment]: { ...base.deployments['acme']!, monitor } } };
}

/** What the monitor's metrics say, without what is 0 of those that say one of several. */
async function scraped({ deployment }: Scene, listen: string): Promise<Record<string, number>> {
  const { body } = await call(`http://${listen}/metrics`);
  const lines = body.split('\n').filter((line) => line.startsWith('tyk_dr_monitor_'));
  const values = lines.map((line): [string, number] => {
    const [name, value] = [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)];
    return [
      name.replace(`deployment="${deployment}"`, '').replace('{,', '{').replace('{}', ''),
      Number(value),
    ];
  });
  return Object.fromEntries(
    values.filter(([name, value]) => value > 0 || !/monitor_(state|observer)\{/.test(name)),
  );
}

/** Served anew for each look: an answer is good for some seconds. */
async function metricsOf(scene: Scene): Promise<Record<string, number>> {
  const config = configOf(scene.deployment);
  const listen = `127.0.0.1:${await freePort()}`;
  const { deps } = wire(config, 'witness', 'test');
  const server = await serveMetrics(config, deps, listen, environment.client);
  try {
    return await scraped(scene, listen);
  } finally {
    server.close();
  }
}

const reaches = (scene: Scene, expected: object): Promise<unknown> =>
  until(
    () => metricsOf(scene),
    (seen) => Object.entries(expected).every(([name, value]) => seen[name] === value),
  );

test('the state of a deployment, who does not count, what was done and what is left, and that nobody watches', async () => {
  const hourAgo = new Date(Date.now() - 30 * 60_000).toISOString();
  const heal = { component: 'gateway', names: ['gateway gw1'], run: 'rec-1', at: hourAgo } as const;
  const memory = { heals: [heal], starts: [hourAgo] };
  const settings = { onFailure: 'start', budgetPerDay: 2 } as const;
  await stage.play({ settings, memory }, async (scene) => {
    const { deployment } = scene;
    const sees = (observer: string, what: string) =>
      `tyk_dr_monitor_observer{observer="${observer}",sees="${what}"}`;
    await reaches(scene, {
      'tyk_dr_monitor_state{state="healthy"}': 1,
      ...{ [sees('primary', 'up')]: 1, [sees('dr', 'up')]: 1, [sees('witness', 'up')]: 1 },
    });
    const well = await metricsOf(scene);
    expect(well).toMatchObject({
      tyk_dr_monitor_running: 1,
      [sees('primary', 'up')]: 1,
      [sees('dr', 'up')]: 1,
      [sees('witness', 'up')]: 1,
      tyk_dr_monitor_quorum: 2,
      tyk_dr_monitor_held: 0,
      tyk_dr_monitor_paused: 0,
      tyk_dr_monitor_heals_last_hour: 1,
      tyk_dr_monitor_budget_left: 1,
    });
    const heard = (observer: string) => `tyk_dr_monitor_heard_timestamp_seconds{observer="${observer}"}`;
    await until(
      () => metricsOf(scene),
      (seen) => Number(seen[heard('dr')]) > Number(well[heard('dr')] ?? 0),
    );

    scene.sees.set('dr', { ...DEAD, sighted: false });
    scene.sees.set('primary', 'silent');
    await reaches(scene, {
      [sees('dr', 'blind')]: 1,
      [sees('primary', 'silent')]: 1,
      [sees('witness', 'up')]: 1,
      'tyk_dr_monitor_state{state="degraded"}': 1,
    });
    await send(environment.client.workflow.getHandle(scene.handle.workflowId), 'pause', {
      ...{ actor: 'ann', reason: 'new switches', forMs: 60_000 },
    });
    for (const observer of ['dr', 'witness']) scene.sees.set(observer, DEAD);
    await reaches(scene, { tyk_dr_monitor_paused: 1, 'tyk_dr_monitor_state{state="suspect"}': 1 });
    expect(Object.keys(await metricsOf(scene)).filter((name) => name.includes('state{'))).toHaveLength(1);

    await scene.handle.terminate('the test is over');
    expect(await metricsOf(scene)).toEqual({ tyk_dr_monitor_running: 0 });
    expect(deployment).toMatch(/^acme-/);
  });
}, 120_000);

test('of a deployment that the worker neither observes nor serves, nothing', async () => {
  await stage.play({}, async (scene) => {
    const config = configOf(scene.deployment);
    const listen = `127.0.0.1:${await freePort()}`;
    const { deps } = wire(config, 'elsewhere', 'test');
    const server = await serveMetrics(config, deps, listen, environment.client);
    try {
      expect(await scraped(scene, listen)).toEqual({});
    } finally {
      server.close();
    }
  });
});
