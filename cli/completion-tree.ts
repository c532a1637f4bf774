import type { Argument, Command, Option } from 'commander';
import { allowedBy } from './arguments.ts';

/** What a shell can complete, as plain data: the build writes it down, so that completing loads no program. */

/** What stands for a value: words to choose from, or the kind of name that is looked up in the configuration. */
export type Value =
  readonly string[] | 'deployments' | 'sites' | 'runs' | 'sets' | 'steps' | 'workers' | 'files' | 'anything';

export interface CompletionTree {
  readonly about: string;
  readonly commands: Readonly<Record<string, CompletionTree>>;
  readonly options: readonly {
    readonly flag: string;
    readonly about: string;
    /** Absent where it takes none. */
    readonly value?: Value;
  }[];
  readonly args: readonly Value[];
}

/** @param steps ids of the steps that a run may have. */
export function completionTree(program: Command, steps: readonly string[]): CompletionTree {
  return {
    about: program.description(),
    commands: Object.fromEntries(
      program.commands.map((command) => [command.name(), completionTree(command, steps)]),
    ),
    options: program.options.flatMap((option) =>
      option.long === undefined || option.hidden
        ? []
        : {
            flag: option.long,
            about: option.description,
            ...(option.required || option.optional ? { value: valueOf(option, steps) } : {}),
          },
    ),
    args: program.registeredArguments.map((argument) => valueOf(argument, steps)),
  };
}

const KINDS: Readonly<Record<string, Value>> = {
  deployment: 'deployments',
  run: 'runs',
  site: 'sites',
  to: 'sites',
  from: 'sites',
  set: 'sets',
  old: 'sets',
  new: 'sets',
  backup: 'sets',
  file: 'files',
  folder: 'files',
  config: 'files',
  dir: 'files',
  key: 'files',
};

function valueOf(part: Option | Argument, steps: readonly string[]): Value {
  const name = part.name();
  const allowed = part.argChoices ?? allowedBy(part.parseArg);
  if (allowed) return allowed;
  if (name === 'step') return steps;
  if (name === 'worker' || ('long' in part ? false : name === 'name')) return 'workers';
  return KINDS[name] ?? 'anything';
}
