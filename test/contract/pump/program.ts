import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const STOP_TIMEOUT_MS = 10_000;

export interface Program {
  /** Everything it has written so far. */
  log(): string;
  /** SIGTERM, and the exit code once it has ended; null where it had to be killed. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** Starts a program of the lab from its source. */
export function startProgram(source: string, args: readonly string[]): Program {
  const argv = ['--import', TYPESCRIPT_LOADER, path.join(ROOT, source), ...args];
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  }
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const [code] = await ended;
    clearTimeout(timer);
    return code;
  };
  return {
    log: () => text,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  };
}
