import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DrError } from '../../domain/errors.ts';
import type { ManifestObject } from '../../domain/manifest.ts';
import type { Secret } from '../../domain/secret.ts';
import { Meter, options, tool } from './seal.ts';

/** Opens a sealed object. What the sink has received counts only when the promise resolves: the end authenticates. */

export interface OpenRequest {
  /** The folder of the set. */
  readonly folder: string;
  readonly set: string;
  readonly object: ManifestObject;
  readonly identity: Secret;
  readonly signal?: AbortSignal | undefined;
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, WRONG_AGE_KEY; the sink's own error where the sink fails. */
export async function openObject(request: OpenRequest, sink: Writable): Promise<void> {
  const { object, set, identity, signal } = request;
  const file = join(request.folder, object.file);
  const found = await stat(file).catch(() => undefined);
  if (!found) throw new DrError('OBJECT_MISSING', { object: object.name, set });
  if (found.size !== object.cipher.bytes)
    throw damaged(request, `${found.size} bytes instead of ${object.cipher.bytes}`);
  const cipher = new Meter();
  const plain = new Meter();
  // The identity goes in by standard input: a file of it would survive a worker that is killed.
  const age = tool(['age', '--decrypt', '--identity', '-', file], signal);
  age.input.end(`${identity.reveal()}\n`);
  const zstd = tool(['zstd', '-q', '-d', '-c'], signal);
  let sinkFailed: Error | undefined;
  sink.once('error', (error: Error) => (sinkFailed = error));
  const stages = [
    age.ended,
    zstd.ended,
    pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), cipher.resume(), options(signal)),
    pipeline(age.output, zstd.input, options(signal)),
    pipeline(zstd.output, plain, sink, options(signal)),
  ];
  const settled = await Promise.allSettled(
    stages.map((stage) =>
      stage.catch((error: unknown) => {
        // One broken stage ends the others: none may wait for input that never comes.
        age.kill();
        zstd.kill();
        throw error;
      }),
    ),
  );
  signal?.throwIfAborted();
  if (sinkFailed !== undefined) throw sinkFailed;
  const failure = settled.find((stage) => stage.status === 'rejected');
  if (failure)
    throw await explain(request, file, (settled[0] as PromiseRejectedResult).reason ?? failure.reason);
  compare(request, 'sealed', cipher, request.object.cipher.sha256);
  compare(request, 'opened', plain, request.object.plain.sha256);
}

function compare(request: OpenRequest, which: string, meter: Meter, expected: string): void {
  if (meter.fingerprint().sha256 !== expected)
    throw damaged(request, `the SHA-256 of the ${which} bytes differs`);
}

async function explain(request: OpenRequest, file: string, cause: unknown): Promise<unknown> {
  if (!(cause instanceof DrError) || cause.code !== 'TOOL_FAILED') return cause;
  const output = String(cause.details['output']);
  if (
    /no identity matched|incorrect passphrase|malformed secret key|unknown identity|no identities found/i.test(
      output,
    )
  ) {
    // A damaged header looks like a wrong key to age: the manifest knows which it is.
    const cipher = new Meter();
    await pipeline(createReadStream(file), cipher.resume());
    if (cipher.fingerprint().sha256 !== request.object.cipher.sha256)
      return damaged(request, 'the SHA-256 of the sealed bytes differs', cause);
    return new DrError('WRONG_AGE_KEY', { identity: 'that is configured', set: request.set }, { cause });
  }
  return damaged(request, output.split('\n')[0] ?? 'it does not decrypt', cause);
}

function damaged({ object, set }: OpenRequest, reason: string, cause?: unknown): DrError {
  return new DrError('OBJECT_DAMAGED', { object: object.name, set, reason }, { cause });
}
