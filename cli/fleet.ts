import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { mapParallel } from '../adapters/files/map-parallel.ts';
import { DrError } from '../domain/errors.ts';
import { FLEET_STOP, fleetClass, type FleetRecord, type StopFleetArgs } from '../domain/fleet.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { isRunId } from '../domain/run-id.ts';
import type { RunRecord } from '../domain/run.ts';
import { fleetReport, forecastLines, notTakenLines } from '../report/fleet.ts';
import { fleetHtml } from '../report/fleet-html.ts';
import { htmlReport } from '../report/html.ts';
import { actorArgument, choice, fileArgument, nameArgument, textArgument } from './arguments.ts';
import { deploymentOf, findRun, withDoor, type Door } from './client.ts';
import { requireWhoAndWhy } from './decide.ts';
import { exitWithClass } from './exit.ts';
import { lookAtAll } from './fleet-look.ts';
import { keptRecord } from './kept-runs.ts';
import { currentRecord } from './run-record.ts';
import { stopDrills } from './recover-all.ts';
import { startTurn } from './fleet-start.ts';
import { fleetHandle, fleetState, followFleet } from './follow-fleet.ts';
import { sendUpdate } from './send-update.ts';

/** `tyk-dr fleet`: the deployments that `recover --all` recovers: shown, one more brought in, stopped. */

interface PersonOptions {
  readonly reason: string;
  readonly actor?: string;
}

export function registerFleet(program: Command, config: () => string | undefined): void {
  const fleet = program.command('fleet').description('The deployments that recover --all recovers');
  const site = nameArgument('SITE');
  fleet
    .command('show')
    .description('Where each of them stands, with its forecast; the report once all have ended')
    .argument('<site>', 'the lost site', site)
    .option('--watch', 'follow it until it ends')
    .option('--json', 'as JSON')
    .option('--format <format>', FORMATS.join(', '), choice('--format', FORMATS))
    .option(
      '--out <dir>',
      'with --format html: the page as DIR/fleet.html, and beside it the report of each run',
      fileArgument('--out'),
    )
    .action(async (lost: string, options: ShowOptions) => {
      const { watch = false, out } = options;
      const format = formatOf(options);
      await withDoor(config(), (door) => {
        if (watch) return followFleet(door, lost, format === 'json');
        return out === undefined ? show(door, lost, format) : writePages(door, lost, resolve(out));
      });
    });
  fleet
    .command('add')
    .description('Bring a further deployment into a fleet that runs; it overtakes those that are less urgent')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--site <site>', 'the lost site', nameArgument('--site'))
    .option('--to <site>', 'the site to recover on', nameArgument('--to'))
    .requiredOption('--reason <text>', 'why; kept in the record', textArgument('--reason'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .action(async (name: string, options: PersonOptions & { site: string; to?: string }) => {
      await withDoor(config(), (door) => add(door, name, options));
    });
  fleet
    .command('stop')
    .description('Let nobody else begin; those that have begun go on')
    .argument('<site>', 'the lost site', site)
    .requiredOption('--reason <text>', 'why; kept in the record', textArgument('--reason'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .action(async (lost: string, { reason, actor = userInfo().username }: PersonOptions) => {
      const args = { actor, reason };
      requireWhoAndWhy(args);
      const answer = await withDoor(config(), (door) => stop(door, lost, args));
      process.stdout.write(`${answer}\n`);
    });
}

async function stop(door: Door, site: string, args: StopFleetArgs): Promise<string> {
  if ((await fleetState(door, site)).ended) throw new DrError('FLEET_ENDED', { site });
  return sendUpdate(door, fleetHandle(door, site), { kind: FLEET_STOP, args, to: `the fleet of ${site}` });
}

const FORMATS = ['text', 'json', 'html'] as const;
type Format = (typeof FORMATS)[number];

interface ShowOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly format?: Format;
  readonly out?: string;
}

/** @throws DrError BAD_ARGUMENT */
function formatOf({ watch, json, format, out }: ShowOptions): Format {
  const refuse = (argument: string, value: string, expected: string): never => {
    throw new DrError('BAD_ARGUMENT', { argument, value, expected });
  };
  if (json && format !== undefined && format !== 'json')
    return refuse('--format', format, 'json beside --json');
  if (format === 'html' && watch)
    return refuse('--format', format, 'text or json beside --watch: a page stands still');
  if (out !== undefined && format !== 'html') return refuse('--out', out, '--format html as well');
  return format ?? (json ? 'json' : 'text');
}

async function stateNow(door: Door, site: string): Promise<{ record: FleetRecord; ended: boolean }> {
  const { record, ended } = await fleetState(door, site);
  if (!record) throw new DrError('WORKER_MISSING', { queue: WORKFLOW_QUEUE });
  return { record, ended };
}

async function show(door: Door, site: string, format: Format): Promise<void> {
  const { record, ended } = await stateNow(door, site);
  const nowMs = Date.now();
  const render: Readonly<Record<Format, () => string>> = {
    text: () =>
      [fleetReport(record, nowMs), ...(ended ? [] : ['', ...forecastLines(record, nowMs)])].join('\n'),
    json: () => JSON.stringify({ version: 1, ...record }, undefined, 2),
    html: () => fleetHtml({ record, nowMs }),
  };
  process.stdout.write(`${render[format]()}\n`);
  if (ended) exitWithClass(fleetClass(record));
}

/** The page, and the report of each run that has a record: what the page links to lies beside it. */
async function writePages(door: Door, site: string, folder: string): Promise<void> {
  const { record, ended } = await stateNow(door, site);
  await mkdir(folder, { recursive: true });
  const reports = new Map<string, string>();
  await mapParallel(
    record.members.filter(({ state }) => state === 'ended'),
    async ({ run, deployment }) => {
      const kept = isRunId(run) ? await recordOfRun(door, deployment, run).catch(() => undefined) : undefined;
      if (!kept) return;
      const file = `${run}.html`;
      await writeFile(join(folder, file), htmlReport(kept, door.config.deployments[deployment]));
      reports.set(run, file);
    },
    READS_AT_A_TIME,
  );
  const page = join(folder, 'fleet.html');
  await writeFile(page, fleetHtml({ record, nowMs: Date.now(), reports }));
  process.stdout.write(`${page}\n`);
  process.stderr.write(`with the reports of ${reports.size} of ${record.members.length} runs beside it\n`);
  if (ended) exitWithClass(fleetClass(record));
}

const READS_AT_A_TIME = 8;

/** As it was kept; else as Temporal has it. */
async function recordOfRun(door: Door, name: string, run: string): Promise<RunRecord | undefined> {
  const own = { ...door.config, deployments: { [name]: deploymentOf(door.config, name) } };
  const kept = await keptRecord(own, run, door).catch(() => undefined);
  return kept ?? currentRecord(door, await findRun(door, run));
}

async function add(
  door: Door,
  name: string,
  { site, to, reason, actor = userInfo().username }: PersonOptions & { site: string; to?: string },
): Promise<void> {
  deploymentOf(door.config, name);
  const { runbook, scenario, occurredAt, detectedAt } = await running(door, site);
  const request = {
    ...{ site, runbook, scenario, actor, reason, snapshots: true, onFailure: 'ask' as const },
    declaredAt: new Date().toISOString(),
    ...(to === undefined ? {} : { to }),
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(detectedAt === undefined ? {} : { detectedAt }),
  };
  const { ready, notTaken } = await lookAtAll(door, request, [name]);
  if (ready.length === 0)
    throw new DrError('FLEET_NOBODY', { count: 1, site, reasons: notTakenLines(notTaken).join('\n') });
  await stopDrills(door, ready, actor);
  await startTurn(door.client, site, runbook, ready[0]!, 'FAIL');
  process.stdout.write(`${ready[0]!.asking.run}\n`);
  process.stderr.write(`${name} asks for its turn; follow it with: tyk-dr fleet show ${site} --watch\n`);
}

/** @throws DrError FLEET_UNKNOWN, FLEET_ENDED, WORKER_MISSING */
async function running(door: Door, site: string) {
  const { record, ended } = await fleetState(door, site);
  if (ended) throw new DrError('FLEET_ENDED', { site });
  if (!record) throw new DrError('WORKER_MISSING', { queue: WORKFLOW_QUEUE });
  return record;
}
