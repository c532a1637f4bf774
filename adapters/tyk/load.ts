import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireWithinDrill } from '../host/isolation.ts';

/**
 * A bounded load of client requests. They become due at a steady rate, whatever the answers are like, and each is timed
 * from when it was due: one that had to wait for others has waited, as its client would have.
 */

export interface LoadRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadBounds {
  readonly durationMs: number;
  readonly requestsPerSecond: number;
  /** So many are under way at most. */
  readonly concurrency: number;
  /** From when a request was due. */
  readonly timeoutMs: number;
}

export interface LoadAnswer<Request> {
  readonly request: Request;
  /** 0 where no answer came in time. */
  readonly status: number;
  readonly body: string;
  /** From when it was due until its answer had ended. */
  readonly ms: number;
}

/** What is looked at of a body; the rest is read and dropped. */
const LARGEST_BODY = 64 * 1024;
const TICK_MS = 5;

/**
 * Takes the requests in turn. Ends when each has ended, at the latest a timeout after the last was due.
 *
 * @throws the signal's reason once it is aborted; nothing is under way any more then. DrError DRILL_TOUCHES_LIVE
 */
export async function sendLoad<Request extends LoadRequest>(
  requests: readonly Request[],
  bounds: LoadBounds,
  signal: AbortSignal,
): Promise<LoadAnswer<Request>[]> {
  const { durationMs, requestsPerSecond, concurrency, timeoutMs } = bounds;
  for (const { hostname, port, protocol } of requests.map(({ url }) => new URL(url)))
    requireWithinDrill(hostname, Number(port) || (protocol === 'https:' ? 443 : 80));
  // Clients keep their connections.
  const agents = {
    http: new HttpAgent({ keepAlive: true, maxSockets: concurrency }),
    https: new HttpsAgent({ keepAlive: true, maxSockets: concurrency }),
  };
  const all = Math.max(1, Math.floor((durationMs * requestsPerSecond) / 1000));
  const answers: LoadAnswer<Request>[] = [];
  const startedAt = performance.now();
  const dueAt = (index: number): number => startedAt + (index * 1000) / requestsPerSecond;
  let [next, underWay] = [0, 0];
  try {
    while (answers.length < all) {
      for (; next < all && underWay < concurrency && dueAt(next) <= performance.now(); next += 1) {
        const request = requests[next % requests.length]!;
        const due = dueAt(next);
        const leftMs = due + timeoutMs - performance.now();
        underWay += 1;
        const end = ({ status, body }: Ended): void => {
          underWay -= 1;
          answers.push({ request, status, body, ms: tenths(performance.now() - due) });
        };
        send(request, leftMs, agents).then(end, () => end(NO_ANSWER));
      }
      await sleep(TICK_MS, undefined, { signal });
    }
  } finally {
    // With their connections end the requests that are still under way.
    agents.http.destroy();
    agents.https.destroy();
  }
  return answers;
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

type Agents = { readonly http: HttpAgent; readonly https: HttpsAgent };

interface Ended {
  readonly status: number;
  readonly body: string;
}

const NO_ANSWER: Ended = { status: 0, body: '' };

/** No connection, no answer in time and half an answer all are status 0. */
function send({ url, method, headers }: LoadRequest, leftMs: number, agents: Agents): Promise<Ended> {
  // It has waited for the others as long as a client waits: it is not sent any more.
  if (leftMs <= 0) return Promise.resolve(NO_ANSWER);
  return new Promise((resolve) => {
    const options = { method, headers };
    const sending = url.startsWith('https:')
      ? httpsRequest(url, { ...options, agent: agents.https })
      : httpRequest(url, { ...options, agent: agents.http });
    // Not AbortSignal.any of a timeout: Node 20 may collect it before it fires.
    const timer = setTimeout(() => sending.destroy(new Error('no answer in time')), leftMs);
    sending.on('close', () => {
      clearTimeout(timer);
      resolve(NO_ANSWER);
    });
    sending.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= LARGEST_BODY) chunks.push(chunk);
      });
      response.on('error', () => resolve(NO_ANSWER));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sending.on('error', () => resolve(NO_ANSWER));
    sending.end();
  });
}
