import { lookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { requireWithinDrill } from '../host/isolation.ts';
import { jsonOf } from '../../domain/json.ts';

/** One HTTP call to a Tyk component: plain, without connection reuse, so that each answer proves a connection. */

const TIMEOUT_MS = 5_000;
/** Some ten times the definitions of the largest deployments; what is longer would only fill the worker. */
const LARGEST_ANSWER = 64 << 20;

export interface Answer {
  /** 0 where no answer came. */
  readonly status: number;
  readonly body: string;
  /** Names in lower case; of repeated headers the values joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly error?: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Silence of this length ends it. */
  readonly timeoutMs?: number;
  /** The host to connect to in the place of the URL's, which is still the one that is asked for. */
  readonly door?: string;
  /** The whole answer must be there by then, however it trickles. */
  readonly wholeMs?: number;
}

/**
 * An unreachable component is an answer with status 0 and the reason.
 *
 * @throws DrError DRILL_TOUCHES_LIVE
 */
export async function call(url: string, options: Call = {}): Promise<Answer> {
  const { hostname, port, protocol } = new URL(url);
  const { method = 'GET', headers = {}, body, timeoutMs = TIMEOUT_MS, wholeMs, door } = options;
  requireWithinDrill(door ?? hostname, Number(port) || (protocol === 'https:' ? 443 : 80));
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const through = door === undefined ? {} : { lookup: lookupOf(door) };
    const request = send(
      url,
      { method, headers, agent: false, timeout: timeoutMs, ...through },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes > LARGEST_ANSWER)
            request.destroy(new Error(`the answer is larger than ${LARGEST_ANSWER} bytes`));
        });
        response.on('error', (error) => resolve(noAnswer(error.message)));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
            ),
          }),
        );
      },
    );
    if (wholeMs !== undefined) {
      const late = setTimeout(
        () => request.destroy(new Error(`no whole answer within ${wholeMs} ms`)),
        wholeMs,
      );
      request.on('close', () => clearTimeout(late));
    }
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', (error) => resolve(noAnswer(error.message || String(error))));
    request.end(body);
  });
}

/** Looks another name up; an address is its own answer. */
function lookupOf(door: string): typeof lookup {
  const other = (_name: string, ...rest: unknown[]): void =>
    (lookup as (name: string, ...rest: unknown[]) => void)(door, ...rest);
  return other as typeof lookup;
}

function noAnswer(error: string): Answer {
  return { status: 0, body: '', headers: {}, error };
}

/** The body as JSON, or undefined where it is none, or nested as no document of Tyk's is. */
export function json(answer: Answer): unknown {
  return jsonOf(answer.body);
}
