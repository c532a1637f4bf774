import type { Command } from 'commander';
import { page, section } from './markdown.ts';

const WIDTH = 100;

/** The help of every command, as the program prints it. */
export function cliPage(program: Command): string {
  return page(
    'Command line',
    'Results go to standard output, progress to standard error. Exit codes are in [errors.md](errors.md).',
    helpOf(program, []),
  );
}

function helpOf(command: Command, parents: readonly string[]): string[] {
  const names = [...parents, command.name()];
  const help = command.configureHelp({ helpWidth: WIDTH }).helpInformation().trimEnd();
  return [
    section(names.join(' '), `\`\`\`text\n${help}\n\`\`\``),
    ...command.commands.flatMap((inner) => helpOf(inner, names)),
  ];
}
