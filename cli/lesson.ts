import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { entriesOf } from '../domain/journal.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { columns } from '../report/columns.ts';
import { actorArgument, nameArgument, runArgument, textArgument } from './arguments.ts';
import { keptRecord } from './kept-runs.ts';
import { openImprovement, say } from './journal.ts';

/** `tyk-dr lesson`: what was learned from a run, and who sees to it. */

interface LessonOptions {
  readonly text: string;
  readonly owner: string;
  readonly actor?: string;
}

export function registerLesson(program: Command, config: () => string | undefined): void {
  const command = program.command('lesson').description('What was learned from runs, with an owner');
  command
    .command('add')
    .description('Record a lesson of a run')
    .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .requiredOption('--text <text>', 'what was learned', textArgument('--text', 'what was learned'))
    .requiredOption('--owner <name>', 'who sees to it', actorArgument('--owner'))
    .option('--actor <name>', 'who says so; default the login name', actorArgument('--actor'))
    .action(async (run: string, { text, owner, actor }: LessonOptions) => {
      const record = await keptRecord(await loadConfig(config()), run);
      if (!record) throw new DrError('UNKNOWN_RUN', { run });
      const improvement = await openImprovement(config(), record.deployment);
      await say(improvement, { kind: 'lesson', run: record.run, text, owner }, actor);
      process.stdout.write(`${record.run}: "${text}", owner ${owner}\n`);
    });
  command
    .command('list')
    .description('The lessons of a deployment, the newest first')
    .argument('[deployment]', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) => {
      const lessons = entriesOf((await openImprovement(config(), name)).entries, 'lesson').reverse();
      const lines = columns([
        ['AT', 'RUN', 'OWNER', 'BY', 'LESSON'],
        ...lessons.map(({ at, run, owner, actor, text }) => [at, run, owner, actor, text]),
      ]);
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, lessons }, undefined, 2)}\n`
          : `${lessons.length > 0 ? lines.join('\n') : 'no lesson yet'}\n`,
      );
    });
}
