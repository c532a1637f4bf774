import type { LoadedDataConverter, Payload, PayloadCodec } from '@temporalio/common';

/**
 * What Temporal itself tells of a run (its history, its description) with every payload decrypted and every failure in
 * its own words. The client does so for results and queries, but not for these.
 */
export async function readable<T>({ payloadCodecs }: LoadedDataConverter, message: T): Promise<T> {
  return (await copyOf(payloadCodecs, message)) as T;
}

async function copyOf(codecs: PayloadCodec[], value: unknown): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((item) => copyOf(codecs, item)));
  if (!isPlain(value)) return value;
  if (isPayload(value)) return decoded(codecs, value);
  const entries = Object.entries(value).map(
    async ([key, item]) => [key, await copyOf(codecs, item)] as const,
  );
  const copy = Object.fromEntries(await Promise.all(entries)) as Record<string, unknown>;
  const told = copy['encodedAttributes'];
  return isPayload(told) ? { ...copy, ...wordsOf(told) } : copy;
}

async function decoded(codecs: PayloadCodec[], payload: Payload): Promise<Payload> {
  let [current] = [payload];
  for (const codec of [...codecs].reverse()) current = (await codec.decode([current]))[0] ?? current;
  return current;
}

/** Text and stack of a failure, where they were made a payload to be encrypted as well. */
function wordsOf({ data }: Payload): { message?: string; stackTrace?: string } {
  const { message, stack_trace: stackTrace } = JSON.parse(Buffer.from(data ?? []).toString()) as {
    message?: string;
    stack_trace?: string;
  };
  return { ...(message !== undefined && { message }), ...(stackTrace !== undefined && { stackTrace }) };
}

/** Messages of Protocol Buffers are objects of their own classes; bytes and long numbers are not taken apart. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !('unsigned' in value);
}

function isPayload(value: unknown): value is Payload {
  if (!isPlain(value) || !isPlain(value['metadata'])) return false;
  return value['metadata']['encoding'] instanceof Uint8Array;
}
