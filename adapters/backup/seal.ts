import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { PassThrough, Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Fingerprint } from '../../domain/manifest.ts';
import { DrError } from '../../domain/errors.ts';
import { repositoryError } from '../files/disk-error.ts';
import { durableRename } from '../files/durable.ts';

/** Makes a sealed object of a stream: zstd, then age for every recipient, hashed on both sides. Memory stays flat. */

export interface Sealed {
  readonly plain: Fingerprint;
  readonly cipher: Fingerprint;
}

/**
 * The file appears under its name only when everything before it ended well: a source that dies midstream leaves
 * nothing that looks like an object.
 *
 * @throws DrError TOOL_FAILED, TOOL_MISSING, or what the source throws.
 */
export async function sealStream(
  source: Readable,
  file: string,
  recipients: readonly string[],
  signal?: AbortSignal,
): Promise<Sealed> {
  const plain = new Meter();
  const cipher = new Meter();
  const draft = `${file}.new`;
  const zstd = tool(['zstd', '-q', '-3', '-T1', '-c'], signal);
  const age = tool(
    ['age', '--encrypt', ...recipients.flatMap((recipient) => ['--recipient', recipient])],
    signal,
  );
  try {
    await Promise.all([
      pipeline(source, plain, zstd.input, options(signal)),
      pipeline(zstd.output, age.input, options(signal)),
      pipeline(age.output, cipher, createWriteStream(draft, { mode: 0o600 }), options(signal)),
      zstd.ended,
      age.ended,
    ]);
    const handle = await open(draft, 'r');
    await handle.sync().finally(() => handle.close());
    await durableRename(draft, file);
    return { plain: plain.fingerprint(), cipher: cipher.fingerprint() };
  } catch (error) {
    zstd.kill();
    age.kill();
    await rm(draft, { force: true }).catch(() => undefined);
    throw repositoryError(file, error);
  }
}

/** Counts and hashes what passes through. */
export class Meter extends Transform {
  readonly #hash: Hash = createHash('sha256');
  #bytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    done(null, chunk);
  }

  /** Call once, at the end. */
  fingerprint(): Fingerprint {
    return { sha256: this.#hash.digest('hex'), bytes: this.#bytes };
  }
}

export interface Tool {
  readonly input: NodeJS.WritableStream;
  readonly output: Readable;
  /** Resolves on exit code 0. */
  readonly ended: Promise<void>;
  kill(): void;
}

/** A filter process that dies with us: a killed worker must not leave one that still writes. */
export function tool(
  argv: readonly string[],
  signal?: AbortSignal,
  env: Record<string, string> = {},
  stdout: 'pipe' | number = 'pipe',
): Tool {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    stdio: ['pipe', stdout, 'pipe'],
    env: { ...process.env, ...env },
    ...(signal ? { signal } : {}),
  });
  let complaint = '';
  child
    .stderr!.setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-2_000)));
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (code === 0) return resolve();
      if (code === 127) return reject(new DrError('TOOL_MISSING', { tool: argv[0]!, host: 'this host' }));
      reject(
        new DrError('TOOL_FAILED', {
          tool: argv[0]!,
          exit: killedBy ?? `exit code ${code}`,
          output: complaint.trim() || 'no output',
        }),
      );
    });
  });
  // Whoever waits for it hears of a failure; whoever has failed before that must not end the worker with it.
  ended.catch(() => undefined);
  // Node throws away what a child has written when the child ends before anybody reads: read from the start.
  const output = new PassThrough();
  if (child.stdout) child.stdout.pipe(output);
  else output.end();
  return { input: child.stdin!, output, ended, kill: () => child.kill('SIGKILL') };
}

export function options(signal: AbortSignal | undefined): { signal: AbortSignal } | Record<string, never> {
  return signal ? { signal } : {};
}
