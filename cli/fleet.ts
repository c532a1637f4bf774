import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { FLEET_STOP, fleetClass } from '../domain/fleet.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { fleetReport, forecastLines, notTakenLines } from '../report/fleet.ts';
import { actorArgument, nameArgument, textArgument } from './arguments.ts';
import { deploymentOf, withDoor, type Door } from './client.ts';
import { exitWithClass } from './exit.ts';
import { lookAtAll } from './fleet-look.ts';
import { stopDrills } from './recover-all.ts';
import { startTurn } from './fleet-start.ts';
import { fleetHandle, fleetState, followFleet } from './follow-fleet.ts';

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
    .action(async (lost: string, { watch = false, json = false }: { watch?: boolean; json?: boolean }) => {
      await withDoor(config(), (door) => (watch ? followFleet(door, lost, json) : show(door, lost, json)));
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
      const answer = await withDoor(config(), async (door) => {
        await running(door, lost);
        return fleetHandle(door, lost).executeUpdate<string, [{ actor: string; reason: string }]>(
          FLEET_STOP,
          {
            args: [{ actor, reason }],
          },
        );
      });
      process.stdout.write(`${answer}\n`);
    });
}

async function show(door: Door, site: string, json: boolean): Promise<void> {
  const { record, ended } = await fleetState(door, site);
  if (!record) throw new DrError('WORKER_MISSING', { queue: WORKFLOW_QUEUE });
  const nowMs = Date.now();
  const text = json
    ? JSON.stringify({ version: 1, ...record }, undefined, 2)
    : [fleetReport(record, nowMs), ...(ended ? [] : ['', ...forecastLines(record, nowMs)])].join('\n');
  process.stdout.write(`${text}\n`);
  if (ended) exitWithClass(fleetClass(record));
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
