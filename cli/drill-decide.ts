import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { DRILL_KINDS } from '../domain/calendar-kinds.ts';
import { calendarInForce } from '../domain/drill-calendar.ts';
import type { DrillType } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import { parseParticipants } from '../domain/participants.ts';
import { drillLines } from '../report/drills.ts';
import {
  actorArgument,
  choice,
  momentArgument,
  nameArgument,
  runArgument,
  textArgument,
} from './arguments.ts';
import { participantArgument } from './drill-options.ts';
import { withDoor } from './client.ts';
import { standingHere, standingOf } from './drill-standing.ts';
import { openImprovement, requireRecord, say, type Improvement } from './journal.ts';

/** `tyk-dr drill list|defer|skip|attended`: what the calendar asks for, and what people say about it. */

interface Decision {
  readonly type: DrillType;
  readonly reason: string;
  readonly actor?: string;
}

export function registerDrillDecisions(command: Command, config: () => string | undefined): void {
  command
    .command('list')
    .description('The drills that were due and what became of them, what comes next, and who has practised')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string, { json }: { json?: boolean }) => {
      const standing =
        (await standingHere(await loadConfig(config()), name)) ??
        (await withDoor(config(), (door) => standingOf(door, name)));
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, deployment: name, ...standing }, undefined, 2)}\n`
          : `${drillLines(name, standing).join('\n')}\n`,
      );
    });
  withDecision(
    command
      .command('defer')
      .description('Put off the drill that is due, or else the next one; the reason is kept'),
  )
    .requiredOption('--until <time>', 'when it may begin', momentArgument('--until'))
    .action(async (name: string, { type, reason, actor, until }: Decision & { until: string }) => {
      if (until <= new Date().toISOString())
        throw new DrError('BAD_ARGUMENT', {
          ...{ argument: '--until', value: until, expected: 'a time that is still to come' },
        });
      const improvement = await openImprovement(config(), name);
      const { dueAt, isNext } = inQuestion(improvement, type);
      await say(improvement, { kind: 'drill-deferred', drill: type, dueAt, until, reason }, actor);
      process.stdout.write(
        `the ${type} drill that ${isNext ? 'is' : 'was'} due ${dueAt} is deferred until ${until}\n`,
      );
      if (!isNext)
        process.stderr.write(
          `note: unless its schedule still waits for that time, begin it then: tyk-dr drill ${name} --type ${type}\n`,
        );
    });
  withDecision(
    command
      .command('skip')
      .description('Leave out the drill that is due, or else the next one; the reason is kept'),
  ).action(async (name: string, { type, reason, actor }: Decision) => {
    const improvement = await openImprovement(config(), name);
    const { dueAt } = inQuestion(improvement, type);
    await say(improvement, { kind: 'drill-skipped', drill: type, dueAt, reason }, actor);
    process.stdout.write(`the ${type} drill of ${dueAt} is skipped; that is a finding\n`);
  });
  command
    .command('attended')
    .description('Say who took part in a drill that a schedule has started, or correct what it says')
    .argument('<run>', 'the run id of the drill', runArgument('RUN'))
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--participant <role=person>', 'who; again for more', participantArgument())
    .option('--actor <name>', 'who says so; default the login name', actorArgument('--actor'))
    .action(
      async (
        run: string,
        name: string,
        { participant, actor }: { participant: string[]; actor?: string },
      ) => {
        const improvement = await openImprovement(config(), name);
        const { drill } = requireRecord(improvement, run);
        if (!drill)
          throw new DrError('BAD_ARGUMENT', {
            argument: 'RUN',
            value: run,
            expected: 'the run id of a drill',
          });
        const roles = participant.map((each) => each.split('=')[0]!.trim());
        const participants = parseParticipants(improvement.deployment.roles, participant).filter(({ role }) =>
          roles.includes(role),
        );
        await say(improvement, { kind: 'attended', run, participants }, actor);
        process.stdout.write(
          `${run}: ${participants.map(({ role, person }) => `${role} ${person}`).join(', ')}\n`,
        );
      },
    );
}

function withDecision(command: Command): Command {
  return command
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--type <type>', 'of which kind', choice('--type', DRILL_KINDS))
    .requiredOption('--reason <text>', 'why', textArgument('--reason'))
    .option('--actor <name>', 'who decides; default the login name', actorArgument('--actor'));
}

/** The one that is due and not made, else the next. @throws DrError BAD_ARGUMENT where the calendar has none */
function inQuestion({ standing, entries }: Improvement, type: DrillType): { dueAt: string; isNext: boolean } {
  const last = standing.due.findLast(({ drill }) => drill === type);
  if (last && ['due', 'late', 'deferred'].includes(last.state)) return { dueAt: last.dueAt, isNext: false };
  const next = standing.next.find(({ kind }) => kind === type);
  if (next) return { dueAt: next.at, isNext: true };
  const kinds = Object.keys(calendarInForce(entries)?.schedules ?? {}).join(', ');
  throw new DrError('BAD_ARGUMENT', {
    ...{ argument: '--type', value: type },
    expected:
      kinds === ''
        ? 'a calendar in force: drill.schedules, then tyk-dr schedule apply'
        : `one that the calendar in force has: ${kinds}`,
  });
}
