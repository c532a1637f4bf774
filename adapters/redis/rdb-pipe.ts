import { rm } from 'node:fs/promises';
import { tool } from '../backup/seal.ts';
import { run } from '../process/run.ts';

/**
 * A named pipe that a scratch server loads as if it were `dump.rdb`: an RDB is counted while it arrives, and never
 * lies on a disk in the clear.
 */
export interface RdbPipe {
  readonly input: NodeJS.WritableStream;
  /** Ends whoever waits at the pipe. */
  close(): Promise<void>;
}

export async function openRdbPipe(path: string, signal?: AbortSignal): Promise<RdbPipe> {
  await run(['mkfifo', '--mode=600', path]);
  // Opening a pipe waits for its other end, in us for ever: a program of its own can be killed.
  const feeder = tool(['sh', '-c', 'exec cat > "$1"', 'sh', path], signal);
  return {
    input: feeder.input,
    close: async () => {
      feeder.kill();
      await rm(path, { force: true });
    },
  };
}
