import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { DrError } from '../../domain/errors.ts';
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
  const argv = ['--pdeathsig', 'KILL', '--', ...start.map(filled)];
  const child = spawn('setpriv', argv, {
    cwd: values.root,
    env: { ...process.env, ...scratchMark(owner) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const remember = (chunk: Buffer): void => void (log = (log + chunk.toString()).slice(-2_000));
  child.stdout.on('data', remember);
  child.stderr.on('data', remember);
  const ended = once(child, 'exit').then(([code]): never => {
    if (code === 127) throw new DrError('TOOL_MISSING', { tool: start[0]!, host: 'this host' });
    const last = log.trim().split('\n').slice(-3).join(' / ');
    throw new DrError('SERVICE_FAILED', {
      service: `the scratch ${name}`,
      site: 'this host',
      action: 'run',
      reason: `it ended with ${code}: ${last}`,
    });
  });
  // Whoever races it hears of it; being killed at the end is no failure of anybody's.
  ended.catch(() => undefined);
  return ended;
}

/** Free on the loopback at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
