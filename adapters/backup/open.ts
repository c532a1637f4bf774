import { createHash } from 'node:crypto';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DrError } from '../../domain/errors.ts';
import type { ManifestObject } from '../../domain/manifest.ts';
import type { Secret } from '../../domain/secret.ts';
import { scratchFolder } from '../host/scratch-folder.ts';
import { run } from '../process/run.ts';
import { Meter, options, tool, type Tool } from './seal.ts';

/** Opens a sealed object. What the sink has received counts only when the promise resolves: the end authenticates. */

interface Sealed {
  /** The folder of the set. */
  readonly folder: string;
  readonly set: string;
  readonly object: ManifestObject;
}

export interface OpenRequest extends Sealed {
  readonly identity: Secret;
  readonly signal?: AbortSignal | undefined;
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, WRONG_AGE_KEY; the sink's own error where the sink fails. */
export async function openObject(request: OpenRequest, sink: Writable): Promise<void> {
  await requireWhole(request);
  const { signal } = request;
  const plain = new Meter();
  let sinkFailed: Error | undefined;
  sink.once('error', (error: Error) => (sinkFailed = error));
  const through = async ({ output }: Tool): Promise<string> => {
    await pipeline(output, plain, sink, options(signal));
    return plain.fingerprint().sha256;
  };
  await decrypt(request, { stdout: 'pipe', digest: through }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw sinkFailed ?? error;
  });
}

/**
 * For an object of any size: zstd writes the file itself, and what is in the file then is what gets compared. Passing
 * gigabytes through streams of ours would cost more than opening them does.
 *
 * @throws as `openObject`; TOOL_FAILED where the file cannot be written.
 */
export async function openIntoFile(request: OpenRequest, file: string): Promise<void> {
  await requireWhole(request);
  const handle = await open(file, 'w+', 0o640);
  const readBack = async ({ ended }: Tool): Promise<string> => {
    await ended;
    return sha256Of(handle, 0);
  };
  await decrypt(request, { stdout: handle.fd, digest: readBack }).finally(() => handle.close());
}

/** Opens an object to nowhere: whether our identity does, and whether every byte is as the manifest says. */
export async function checkObject(request: OpenRequest): Promise<void> {
  await requireWhole(request);
  const folder = await scratchFolder('fifo');
  try {
    const fifo = join(folder, 'plain');
    await run(['mkfifo', '--mode=600', fifo]);
    // Opening one end waits for the other, unless it is opened for both.
    const both = await open(fifo, 'r+');
    const [reader, writer] = [await open(fifo, 'r'), await open(fifo, 'w')];
    await both.close();
    const digest = async (): Promise<string> => {
      // zstd has its own copy by now; ours would keep the end from ever coming.
      await writer.close();
      return sha256Of(reader, null);
    };
    await decrypt(request, { stdout: writer.fd, digest }).finally(() =>
      Promise.all([writer.close(), reader.close()]),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the sealed bytes are those of the manifest. Says nothing of who can open them. */
export async function checkSealed(request: Sealed): Promise<void> {
  await requireWhole(request);
  const actual = await sha256OfFile(join(request.folder, request.object.file));
  compare(request, 'sealed', actual, request.object.cipher.sha256);
}

interface Output {
  /** Where zstd writes: to a descriptor of ours, or into `Tool.output`. */
  readonly stdout: 'pipe' | number;
  /** Called when zstd runs. @returns the SHA-256 of all that it writes. */
  readonly digest: (zstd: Tool) => Promise<string>;
}

async function decrypt(request: OpenRequest, output: Output): Promise<void> {
  const { object, identity, signal } = request;
  const file = join(request.folder, object.file);
  // The identity goes in by standard input: a file of it would survive a worker that is killed.
  const age = tool(['age', '--decrypt', '--identity', '-', file], signal);
  age.input.end(`${identity.reveal()}\n`);
  const zstd = tool(['zstd', '-q', '-d', '-c'], signal, {}, output.stdout);
  const cipher = sha256OfFile(file);
  const plain = output.digest(zstd);
  await allEnded(request, age, zstd, [plain, cipher, pipeline(age.output, zstd.input, options(signal))]);
  compare(request, 'sealed', await cipher, object.cipher.sha256);
  compare(request, 'opened', await plain, object.plain.sha256);
}

/** One broken stage ends the others: none may wait for input that never comes. */
async function allEnded(
  request: OpenRequest,
  age: Tool,
  zstd: Tool,
  others: readonly Promise<unknown>[],
): Promise<void> {
  const stages = [age.ended, zstd.ended, ...others].map((stage) =>
    stage.catch((error: unknown) => {
      age.kill();
      zstd.kill();
      throw error;
    }),
  );
  const results = await Promise.allSettled(stages);
  request.signal?.throwIfAborted();
  const failures = results.flatMap((stage) => (stage.status === 'rejected' ? [stage.reason as unknown] : []));
  // What a tool says of itself tells more than the echo of its end in a stream, or than its being ended by us.
  const failure = failures.find(tellsWhy) ?? failures[0];
  if (failure !== undefined) throw await explain(request, failure);
}

function tellsWhy(error: unknown): boolean {
  return error instanceof DrError && error.details['exit'] !== 'SIGKILL';
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED */
async function requireWhole(request: Sealed): Promise<void> {
  const { object, set } = request;
  const found = await stat(join(request.folder, object.file)).catch(() => undefined);
  if (!found) throw new DrError('OBJECT_MISSING', { object: object.name, set });
  if (found.size !== object.cipher.bytes)
    throw damaged(request, `${found.size} bytes instead of ${object.cipher.bytes}`);
}

async function sha256OfFile(file: string): Promise<string> {
  const handle = await open(file);
  return sha256Of(handle, 0).finally(() => handle.close());
}

/** By one buffer, used again and again: nothing for the garbage collector, however much there is to read. */
async function sha256Of(handle: FileHandle, position: number | null): Promise<string> {
  const sha256 = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  for (let at = position; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return sha256.digest('hex');
    sha256.update(buffer.subarray(0, bytesRead));
    if (at !== null) at += bytesRead;
  }
}

function compare(request: Sealed, which: string, actual: string, expected: string): void {
  if (actual !== expected) throw damaged(request, `the SHA-256 of the ${which} bytes differs`);
}

async function explain(request: OpenRequest, cause: unknown): Promise<unknown> {
  if (!(cause instanceof DrError) || cause.code !== 'TOOL_FAILED') return cause;
  const output = String(cause.details['output']);
  if (/no space left|write error|input\/output error/i.test(output)) return cause;
  if (
    /no identity matched|incorrect passphrase|malformed secret key|unknown identity|no identities found/i.test(
      output,
    )
  ) {
    // A damaged header looks like a wrong key to age: the manifest knows which it is.
    const actual = await sha256OfFile(join(request.folder, request.object.file));
    if (actual !== request.object.cipher.sha256)
      return damaged(request, 'the SHA-256 of the sealed bytes differs', cause);
    return new DrError('WRONG_AGE_KEY', { identity: 'that is configured', set: request.set }, { cause });
  }
  return damaged(request, output.split('\n')[0] ?? 'it does not decrypt', cause);
}

function damaged({ object, set }: Sealed, reason: string, cause?: unknown): DrError {
  return new DrError('OBJECT_DAMAGED', { object: object.name, set, reason }, { cause });
}
