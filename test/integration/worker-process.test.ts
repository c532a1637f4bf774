import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { workerQueue } from '../../domain/messages.ts';
import type { StepInput } from '../../domain/plan.ts';
import type { StepResult } from '../../domain/run.ts';
import { recoverInput } from '../harness/recover-input.ts';
import type { callStep as callStepWorkflow } from '../harness/call-step-workflow.ts';
import { startTemporal } from '../harness/temporal.ts';

/** Worker processes as a host runs them: how they end, and what becomes of the step that they were at. */

const PROGRAM = join(import.meta.dirname, '../../bin/tyk-dr.js');
const QUEUE = 'test-of-workers';
let environment: TestWorkflowEnvironment;
let caller: Worker;
let calling: Promise<void>;
let dir: string;
let config: string;
let input: StepInput;
let started: ChildProcess[];

beforeAll(async () => {
  environment = await startTemporal();
  const workflowsPath = join(import.meta.dirname, '../harness/call-step-workflow.ts');
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  const connection = environment.nativeConnection;
  caller = await Worker.create({ connection, taskQueue: QUEUE, workflowBundle });
  calling = caller.run();
}, 60_000);
afterAll(async () => {
  caller.shutdown();
  await calling;
  await environment.teardown();
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-workers-'));
  await mkdir(join(dir, 'state'));
  config = join(dir, 'tyk-dr.yaml');
  const yaml = parse(EXAMPLE, { merge: true }) as Yaml;
  yaml.temporal.address = environment.address;
  const { paris } = yaml.deployments.payments.sites;
  paris.stateDir = join(dir, 'state');
  const stopped = { start: ['false'], stop: ['false'], status: ['sh', '-c', 'exit 3'] };
  for (const part of [paris.redis, paris.database, paris.dashboard, ...paris.gateways])
    part.service = stopped;
  paris.pump.service = {
    start: ['false'],
    stop: ['sh', '-c', SLOW_STOP, dir],
    status: ['sh', '-c', 'test -e "$0/up" || exit 3', dir],
  };
  await writeFile(join(dir, 'up'), '');
  await writeFile(config, stringify(yaml));
  const { deployments } = await loadConfig(config);
  const { run, plan } = recoverInput();
  input = {
    ...{ run, step: 'claim-target', epoch: Date.now(), basisAt: new Date().toISOString() },
    plan: { ...plan, deployment: 'payments', from: 'london', to: 'paris' },
    configDigest: configDigest(deployments['payments']!),
    notAfter: new Date(Date.now() + 60_000).toISOString(),
  };
  started = [];
});
afterEach(async () => {
  for (const child of started) child.kill('SIGKILL');
  await rm(dir, { recursive: true });
});

/** The first stop takes as long as the file says; every one that comes to its end leaves a line. */
const SLOW_STOP = `
echo begun >> "$0/log"
if mkdir "$0/first" 2>/dev/null; then sleep "$(cat "$0/seconds")" > /dev/null 2>&1; fi
echo done >> "$0/log"; rm "$0/up"`;

interface Part {
  service: unknown;
}

interface Yaml {
  temporal: { address: string };
  deployments: {
    payments: {
      sites: {
        paris: {
          stateDir: string;
          redis: Part;
          database: Part;
          dashboard: Part;
          gateways: Part[];
          pump: Part;
        };
      };
    };
  };
}

interface Process {
  readonly child: ChildProcess;
  said(): string;
}

async function startWorker(name = 'paris'): Promise<Process> {
  const child = spawn(process.execPath, [PROGRAM, '--config', config, 'worker', name], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const said = (): string => text;
  await until(() => text.includes(' serves '), said);
  return { child, said };
}

function callStep(): Promise<StepResult> {
  return environment.client.workflow.execute<typeof callStepWorkflow>('callStep', {
    workflowId: input.run,
    taskQueue: QUEUE,
    args: [workerQueue('paris'), input],
  });
}

const log = (): Promise<string> => readFile(join(dir, 'log'), 'utf8').catch(() => '');
const takes = (seconds: number): Promise<void> => writeFile(join(dir, 'seconds'), String(seconds));

async function until(holds: () => boolean | Promise<boolean>, said: () => string = () => ''): Promise<void> {
  await expect.poll(holds, { timeout: 30_000, interval: 20, message: said() }).toBe(true);
}

async function ended({ child, said }: Process): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect([child.exitCode, child.signalCode], said()).toEqual([0, null]);
}

test('one that is told to stop ends what is nearly done, and says what it waits for', async () => {
  await takes(2);
  const worker = await startWorker();
  expect(worker.said()).toMatch(
    /serves tyk-dr\.paris on \S+, build 0\.\d+\.\d+ \(code [0-9a-f]{12}, workflows [0-9a-f]{12}\)/,
  );
  const result = callStep();
  await until(async () => (await log()).includes('begun'));
  worker.child.kill('SIGTERM');
  expect(await result).toMatchObject({ summary: expect.stringContaining('stopped pump') as string });
  await ended(worker);
  expect(worker.said()).toContain(
    `SIGTERM: takes no more work; waits up to 10 s for claim-target of ${input.run}, then`,
  );
  expect(worker.said()).not.toContain('handed over');
  expect(await log()).toBe('begun\ndone\n');
});

test('a second signal hands the step over at once; the next worker does it, once', async () => {
  await takes(45);
  const worker = await startWorker();
  const result = callStep();
  await until(async () => (await log()).includes('begun'));
  worker.child.kill('SIGTERM');
  await until(() => worker.said().includes('takes no more work'), worker.said);
  worker.child.kill('SIGINT');
  await ended(worker);
  expect(worker.said()).toContain(
    `handed over: claim-target of ${input.run}; the next worker looks how far it came`,
  );
  expect(worker.said().trimEnd()).toMatch(/worker paris has stopped$/);
  await startWorker();
  await result;
  expect(await log()).toBe('begun\nbegun\ndone\n');
});

test('one that is not configured for it refuses, and touches nothing', async () => {
  await takes(0);
  const file = await readFile(config, 'utf8');
  await writeFile(config, file.replaceAll('payments:', 'orders:'));
  await startWorker();
  await expect(callStep()).rejects.toMatchObject({
    cause: {
      cause: {
        type: 'WORKER_NOT_CONFIGURED',
        message: expect.stringContaining('it serves orders') as string,
      },
    },
  });
  expect(await log()).toBe('');
});
