import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { freePort } from '../adapters/host/free-port.ts';
import { exitWithError } from '../cli/exit.ts';
import { isTemporalLost } from '../cli/failures.ts';
import { startFleet } from '../cli/fleet-start.ts';
import { FLEET_QUERY, type FleetLimits, type FleetRecord } from '../domain/fleet.ts';
import { idealMs, outOfOrder, repeatsOf } from './fleet/figures.ts';
import { simulatedFleet, workerNames } from './fleet/members.ts';
import { simulatedWorker, temporalServer, type Process } from './fleet/processes.ts';
import { fleetTable, type FleetResult } from './fleet/table.ts';
import { parsed, whole } from './options.ts';

/** `npm run bench:fleet`: a thousand simulated deployments lose their site, on one machine with a real Temporal. */

const USAGE =
  'usage: npm run bench:fleet -- [--deployments N] [--at-once N] [--workers N] [--seconds S] [--no-kills] [--json]\n';

interface Options {
  readonly deployments: number;
  /** The limit over everything. */
  readonly atOnce: number;
  /** Task queues, each of which may have its even share of them. */
  readonly workers: number;
  /** What the average recovery takes. */
  readonly wholeMs: number;
  readonly kills: boolean;
  readonly json: boolean;
}

const SITE = 'primary';
const SECOND_MS = 1_000;
/** A service manager starts again what has died. */
const RESTART_AFTER_MS = 1_000;

try {
  await main(readOptions());
} catch (error) {
  exitWithError(error);
}

async function main(options: Options): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-bench-fleet-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const log = join(dir, 'steps.log');
  const server = temporalServer(dir, port);
  const worker = simulatedWorker({
    ...{ address, log, workers: workerNames(options.workers).join(',') },
    'whole-ms': String(options.wholeMs),
  });
  try {
    await server.start();
    await worker.start();
    const result = await measure(options, address, log, server, worker);
    process.stdout.write(`${options.json ? JSON.stringify(result) : fleetTable(result)}\n`);
    if (result.verdicts.some(({ met }) => !met)) process.exitCode = 3;
  } finally {
    await worker.end('SIGKILL');
    await server.end('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(
  options: Options,
  address: string,
  log: string,
  server: Process,
  worker: Process,
): Promise<FleetResult> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const declaredAt = new Date().toISOString();
  const names = workerNames(options.workers);
  const members = simulatedFleet(options.deployments, names, options.wholeMs, declaredAt);
  const handle = await startFleet(
    client,
    {
      ...{ site: SITE, runbook: 'recover', scenario: 'regional', actor: 'bench', reason: 'simulated' },
      ...{ declaredAt, notTaken: [], limits: limitsOf(options) },
    },
    members,
  );
  say(`${members.length} deployments have asked after ${shown(Date.now() - Date.parse(declaredAt))}`);
  const killsMs = await untilEnded(handle, options, server, worker);
  const record = await handle.result();
  await connection.close();
  const elapsedMs = Date.parse(record.endedAt!) - Date.parse(record.startedAt);
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  return resultOf(options, record, {
    ...{ elapsedMs, idealMs: idealMs(record), peakBytes: await worker.peakBytes() },
    serverPeakBytes: await server.peakBytes(),
    ...{ kills: killsMs.length, outOfOrder: outOfOrder(record), repeats: repeatsOf(lines, killsMs) },
    runs: await runsOf(address),
  });
}

/** Watches it, and kills the worker and the server on the way. @returns when something was killed, Unix ms */
async function untilEnded(
  handle: WorkflowHandle,
  { deployments, kills }: Options,
  server: Process,
  worker: Process,
): Promise<number[]> {
  const killsMs: number[] = [];
  const toKill = kills
    ? [
        { what: 'the worker', process: worker, after: 0.35 },
        { what: 'the Temporal server', process: server, after: 0.65 },
      ]
    : [];
  for (let said = 0; ; await sleep(SECOND_MS)) {
    await worker.peakBytes();
    await server.peakBytes();
    const record = await look(handle);
    if (!record) continue;
    const ended = record.members.filter(({ state }) => state === 'ended').length;
    if (ended === record.members.length && record.allHere) return killsMs;
    if (Date.now() - said > 20 * SECOND_MS) say(`  ${ended} of ${deployments} ended`);
    if (Date.now() - said > 20 * SECOND_MS) said = Date.now();
    if (toKill.length === 0 || ended < toKill[0]!.after * deployments) continue;
    const { what, process: victim } = toKill.shift()!;
    say(`  ${what} is killed after ${ended} have ended`);
    killsMs.push(Date.now());
    await victim.killAndStart(RESTART_AFTER_MS);
    killsMs.push(Date.now());
  }
}

/** Undefined while nobody can answer. */
async function look(handle: WorkflowHandle): Promise<FleetRecord | undefined> {
  try {
    return await handle.query<FleetRecord>(FLEET_QUERY);
  } catch (error) {
    if (isTemporalLost(error) || isBusy(error)) return undefined;
    throw error;
  }
}

/** FAILED_PRECONDITION: the workflow could not be brought up to date in time to answer. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && (error.cause as { code?: number } | undefined)?.code === 9;
}

/** How many runs each deployment had. */
async function runsOf(address: string): Promise<Map<string, number>> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const runs = new Map<string, number>();
  for await (const { workflowId } of client.workflow.list({ query: 'WorkflowType = "recover"' }))
    runs.set(workflowId, (runs.get(workflowId) ?? 0) + 1);
  await connection.close();
  return runs;
}

function limitsOf({ atOnce, workers }: Options): FleetLimits {
  const share = Math.ceil(atOnce / workers);
  return { all: atOnce, perSite: atOnce, perRepository: share, perWorker: share };
}

function resultOf(
  options: Options,
  record: FleetRecord,
  measured: Omit<FleetResult, 'options' | 'outcomes' | 'verdicts' | 'runs' | 'notOnce'> & {
    readonly runs: Map<string, number>;
  },
): FleetResult {
  const { runs, ...figures } = measured;
  const outcomes: Record<string, number> = {};
  for (const { ending } of record.members) {
    const name = ending?.outcome ?? 'NOT_STARTED';
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  const notOnce = options.deployments - [...runs.values()].filter((count) => count === 1).length;
  const ratio = figures.elapsedMs / figures.idealMs;
  return {
    ...{ options, outcomes, ...figures, notOnce },
    verdicts: [
      { what: 'all recovered', met: outcomes['RECOVERED'] === options.deployments },
      { what: 'order kept', met: figures.outOfOrder.length === 0 },
      { what: 'time within 1.2 x the ideal schedule', met: ratio <= 1.2 },
      { what: 'memory of the worker below 600 MB', met: figures.peakBytes < 600e6 },
      { what: 'one run a deployment', met: notOnce === 0 },
      {
        what: 'no step twice but those that a kill has cut off',
        met: figures.repeats.repeated === figures.repeats.byKills,
      },
    ],
  };
}

function readOptions(): Options {
  const values = parsed(USAGE, {
    deployments: { type: 'string', default: '1000' },
    'at-once': { type: 'string', default: '32' },
    workers: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '40' },
    'no-kills': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  return {
    deployments: whole('--deployments', values.deployments),
    atOnce: whole('--at-once', values['at-once']),
    workers: whole('--workers', values.workers),
    wholeMs: whole('--seconds', values.seconds) * SECOND_MS,
    kills: !values['no-kills'],
    json: values.json,
  };
}

function shown(ms: number): string {
  return `${(ms / SECOND_MS).toFixed(1)} s`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
