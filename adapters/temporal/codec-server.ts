import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { DrError } from '../../domain/errors.ts';

/**
 * Lets the Temporal UI (and Temporal's own command line) read what is encrypted: POST /decode and /encode with
 * `{payloads: [...]}`, as Temporal defines it. Whoever reaches it can read every run, so it listens on this machine
 * only, and answers a browser only where the page comes from the configured UI.
 */

/** Temporal's own limit of a message, in base64 and with room for its frame. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\])$/;
const WORK = { '/decode': 'decode', '/encode': 'encode' } as const;

/** @param origins where pages of the UI come from, such as http://127.0.0.1:8233. @throws DrError BAD_ARGUMENT */
export async function serveCodec(
  codec: PayloadCodec,
  listen: string,
  origins: readonly string[],
): Promise<Server> {
  const at = listen.lastIndexOf(':');
  const [host, port] = [listen.slice(0, at), Number(listen.slice(at + 1))];
  const bad = (expected: string, cause?: unknown): DrError =>
    new DrError('BAD_ARGUMENT', { argument: '--listen', value: listen, expected }, { cause });
  if (!LOOPBACK.test(host) || !/^\d{1,5}$/.test(listen.slice(at + 1)) || port > 65_535)
    throw bad('an address of this machine with its port, such as 127.0.0.1:8234');
  const server = createServer((request, response) => {
    answer(codec, origins, request, response).catch((error: unknown) => {
      const known = error instanceof DrError;
      reply(response, known ? 422 : 500, { message: known ? error.message : 'unexpected' });
    });
  });
  server.listen(port, host.replace(/^\[|\]$/g, ''));
  await once(server, 'listening').catch((error: unknown) => {
    throw bad(`a free port (${(error as NodeJS.ErrnoException).code})`, error);
  });
  return server;
}

async function answer(
  codec: PayloadCodec,
  origins: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { origin, host } = request.headers;
  // A browser says where the page is from; a page of anybody else gets nothing, whatever name it reached us by.
  if (origin !== undefined && !origins.includes(origin))
    return reply(response, 403, { message: `pages from ${origin.slice(0, 100)} may not ask` });
  if (!LOOPBACK.test((host ?? '').replace(/:\d+$/, '')))
    return reply(response, 403, { message: 'asked under a foreign name' });
  if (origin !== undefined) {
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Access-Control-Allow-Methods', 'POST, OPTIONS');
    response.setHeader('Access-Control-Allow-Headers', 'content-type, x-namespace, authorization');
    response.setHeader('Vary', 'Origin');
  }
  if (request.method === 'OPTIONS') return void response.writeHead(204).end();
  const work = WORK[(request.url ?? '').split('?')[0] as keyof typeof WORK];
  if (!work) return reply(response, 404, { message: 'expected /decode or /encode' });
  if (request.method !== 'POST') return reply(response, 405, { message: 'expected POST' });
  // What a page may send without being asked first is no JSON: no such page gets in by the back door.
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return reply(response, 415, { message: 'expected application/json' });
  const text = await bodyOf(request);
  if (text === undefined) {
    response.setHeader('Connection', 'close');
    return reply(response, 413, { message: `more than ${BODY_LIMIT_BYTES} bytes` });
  }
  const payloads = payloadsOf(text);
  if (!payloads) return reply(response, 400, { message: 'expected {"payloads": [...]}' });
  reply(response, 200, { payloads: (await codec[work](payloads)).map(toJson) });
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Payloads as JSON of Protocol Buffers has them: bytes in base64. */
function payloadsOf(text: string): Payload[] | undefined {
  try {
    const { payloads } = JSON.parse(text) as { payloads: { metadata?: object; data?: unknown }[] };
    return payloads.map(({ metadata = {}, data }) => ({
      metadata: Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [name, Buffer.from(String(value), 'base64')]),
      ),
      data: Buffer.from(typeof data === 'string' ? data : '', 'base64'),
    }));
  } catch {
    return undefined;
  }
}

function toJson({ metadata, data }: Payload): object {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(entries) as object, data: base64(data ?? new Uint8Array()) };
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
