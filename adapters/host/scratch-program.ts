import { endedByItself, startAttached } from './attached.ts';
import { killScratchProcesses, scratchMark } from './scratch-processes.ts';

/** Programs of a proof: in the foreground, marked, and gone with all their children when the work has ended. */

export interface ScratchProgram {
  readonly name: string;
  /** With `{config}`, `{root}` and `{port}` to be filled in. */
  readonly start: readonly string[];
  readonly values: Readonly<Record<'config' | 'root' | 'port', string>>;
}

export interface ScratchHost {
  /** Starts it. @throws later, from `orEnded`. */
  start(program: ScratchProgram): void;
  /** The work, or the failure of a program that ended by itself, whichever comes first. */
  orEnded<T>(work: Promise<T>): Promise<T>;
}

/** @param owner whose leftovers they would be, see `killScratchProcesses`. */
export async function withScratchPrograms<T>(
  owner: string,
  work: (host: ScratchHost) => Promise<T>,
): Promise<T> {
  const ends: Promise<never>[] = [];
  const host: ScratchHost = {
    start: (program) => void ends.push(run(program, owner)),
    orEnded: (running) => Promise.race([running, ...ends]),
  };
  try {
    return await work(host);
  } finally {
    await killScratchProcesses(owner);
  }
}

/** Never resolves: a program of a proof has no reason to end. */
function run({ name, start, values }: ScratchProgram, owner: string): Promise<never> {
  const filled = (word: string): string =>
    word.replaceAll(/\{(config|root|port)\}/g, (_all, key: keyof typeof values) => values[key]);
  return startAttached(start.map(filled), endedByItself(`the scratch ${name}`, start[0]!), {
    cwd: values.root,
    env: { ...process.env, ...scratchMark(owner) },
  }).ended;
}
