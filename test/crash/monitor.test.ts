import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort } from '../../adapters/host/free-port.ts';
import { somebodyListens } from '../../adapters/host/ports.ts';
import { MONITOR_QUERY, monitorId, type MonitorSummary } from '../../domain/monitor.ts';
import type { Notice } from '../../domain/notice.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { until } from '../harness/monitor-scene.ts';
import { temporalBinary } from '../harness/temporal.ts';

/** The monitor as hosts run it, over a killed worker, a killed Temporal and new histories. */

const PROGRAM = join(import.meta.dirname, '../../bin/tyk-dr.js');
/** Events after which Temporal asks for a new history: in life some thousands. */
const SHORT_HISTORY = 60;

let dir: string;
let port: number;
let site: Server;
let temporal: ChildProcess;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-monitor-'));
  port = await freePort();
  site = createServer((_request, response) =>
    response.end(JSON.stringify({ status: 'pass', details: { redis: { status: 'pass' } } })),
  );
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const { configFile } = await writeDeployment(dir, {});
  await writeFile(configFile, stringify(withMonitor(await readFile(configFile, 'utf8'))));
  await startTemporal();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  site.close();
  await rm(dir, { recursive: true, force: true });
});

/** Primary runs, dr does not; whoever is told leaves a line. */
function withMonitor(text: string): object {
  const config = parse(text) as {
    temporal?: object;
    deployments: { acme: { sites: { primary: { gateways: { url: string; service: object }[] } } } };
  };
  const { acme } = config.deployments;
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  config.temporal = { address: `127.0.0.1:${port}` };
  const [gateway] = acme.sites.primary.gateways;
  Object.assign(gateway!, { url, service: { start: ['true'], stop: ['true'], status: ['true'] } });
  Object.assign(acme, {
    traffic: {
      ...{ kind: 'haproxy', socket: join(dir, 'haproxy'), backend: 'tyk', url },
      servers: { primary: ['p1'], dr: ['d1'] },
    },
    monitor: {
      ...{ observers: ['primary', 'dr'], references: [`127.0.0.1:${port}`], heal: 'off' },
      ...{ interval: '1s', failAfter: '3s', recoverAfter: '1s' },
    },
    notify: {
      channels: { log: { kind: 'command', command: ['sh', '-c', 'cat >> "$0"; echo >> "$0"', told()] } },
      routes: [{ channels: ['log'] }],
    },
  });
  return config;
}

const told = (): string => join(dir, 'told.jsonl');
const eventsTold = async (): Promise<string[]> =>
  (await readFile(told(), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as Notice).event);

function begin(command: string, args: readonly string[]): ChildProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], { stdio: 'ignore' });
  children.add(child);
  return child;
}

async function startTemporal(): Promise<void> {
  temporal = begin(await temporalBinary(), [
    ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port)],
    ...['--db-filename', join(dir, 'temporal.db'), '--log-level', 'never'],
    ...['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${SHORT_HISTORY}`],
  ]);
  await until(() => somebodyListens('127.0.0.1', port), Boolean);
}

const program = (...args: string[]): string[] => [PROGRAM, '--config', join(dir, 'tyk-dr.yaml'), ...args];
const startWorker = (name: string): ChildProcess => begin(process.execPath, program('worker', name));

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  children.delete(child);
}

/** Nobody answers where Temporal, or every worker, is away. */
async function seen(): Promise<MonitorSummary | undefined> {
  const connection = await Connection.connect({ address: `127.0.0.1:${port}` }).catch(() => undefined);
  if (!connection) return undefined;
  try {
    const handle = new Client({ connection }).workflow.getHandle(monitorId('acme'));
    return await connection.withDeadline(Date.now() + 2_000, () =>
      handle.query<MonitorSummary>(MONITOR_QUERY),
    );
  } catch {
    return undefined;
  } finally {
    await connection.close();
  }
}

const reaches = (holds: (summary: MonitorSummary) => boolean): Promise<unknown> =>
  until(seen, (summary) => summary !== undefined && holds(summary), 60_000);
const sees = (observer: string, what: string) => (summary: MonitorSummary) =>
  summary.observers.some((each) => each.observer === observer && each.sees === what);

test('a killed worker is silent until it is back; a killed Temporal forgets nothing; a failure is told once', async () => {
  startWorker('primary');
  const dr = startWorker('dr');
  const first = await until(
    () => execa(process.execPath, program('monitor', 'acme'), { reject: false }),
    ({ exitCode }) => exitCode === 0,
    60_000,
  );
  expect(first.stdout).toContain('acme is monitored from now on');
  await reaches(({ state, serving }) => state === 'healthy' && serving === 'primary');

  await Promise.all([kill(dr), kill(temporal)]);
  await startTemporal();
  await reaches(sees('dr', 'silent'));
  startWorker('dr');
  await reaches((summary) => sees('primary', 'up')(summary) && sees('dr', 'up')(summary));
  site.closeAllConnections();
  site.close();
  await reaches(({ state }) => state === 'failed');
  await until(eventsTold, (events) => events.includes('site-failed'));

  const shown = await execa(process.execPath, program('monitor', 'acme', '--json'));
  expect(JSON.parse(shown.stdout)).toMatchObject({ state: 'failed', serving: 'primary', fromNotes: false });
  await execa(process.execPath, program('monitor', 'acme', '--stop', '--reason', 'the test is over'));
  expect((await eventsTold()).filter((event) => event === 'site-failed')).toHaveLength(1);
  const connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  const { historyLength, raw } = await new Client({ connection }).workflow
    .getHandle(monitorId('acme'))
    .describe();
  expect(raw.workflowExecutionInfo?.firstRunId).not.toBe(raw.workflowExecutionInfo?.execution?.runId);
  expect(historyLength).toBeLessThan(4 * SHORT_HISTORY);
  await connection.close();
});
