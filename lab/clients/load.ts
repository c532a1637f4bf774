/**
 * The witness: clients that send requests at a steady rate and write down every answer, whatever happens.
 *
 *   node dist/lab/clients/load.js --target http://127.0.0.1:8000 --plan plan.json --out witness.jsonl --rate 50
 *
 * Without keep-alive: each request opens a connection of its own, so that each meets the load balancer's state of
 * that moment, and none fails only because an idle connection was closed under it.
 */
import { openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { Secret } from '../../domain/secret.ts';
import { log, reasonOf } from '../gateway/log.ts';
import type { Answer } from './witness.ts';

/** A client that has waited this long has had no answer. */
const TIMEOUT_MS = 5000;
const TICK_MS = 10;

interface Plan {
  readonly requests: readonly {
    readonly path: string;
    /** `file:/path` of a key, or null for none. */
    readonly key: string | null;
    readonly weight: number;
  }[];
}

interface Planned {
  readonly path: string;
  readonly key: Secret | undefined;
  readonly weight: number;
}

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    plan: { type: 'string' },
    out: { type: 'string' },
    rate: { type: 'string', default: '20' },
  },
});
try {
  const { target, plan, out } = values;
  if (!target || !plan || !out) throw new Error('--target, --plan and --out are needed');
  const ratePerSecond = Number(values.rate);
  if (!(ratePerSecond > 0)) throw new Error('--rate is no number above 0');
  start(new URL(target), await readPlan(plan), openSync(out, 'a'), ratePerSecond);
} catch (error) {
  log('error', `cannot start: ${reasonOf(error)}`);
  process.exit(1);
}

/** Sends what is due on every tick. After SIGTERM nothing new is sent, and what is under way may still end. */
function start(target: URL, plan: readonly Planned[], out: number, ratePerSecond: number): void {
  const agent = new Agent({ keepAlive: false });
  const atMost = Math.ceil((ratePerSecond * TIMEOUT_MS) / 1000) + 1;
  const startedAt = performance.now();
  let sent = 0;
  let underWay = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * ratePerSecond) / 1000);
    for (; sent < due && underWay < atMost; sent += 1) {
      underWay += 1;
      void send(agent, target, pick(plan)).then((answer) => {
        underWay -= 1;
        // Straight to the kernel: what is written down survives the witness's own death.
        writeSync(out, `${JSON.stringify(answer)}\n`);
      });
    }
    // What could not be sent in time is not made up for: a burst after a pause would be no steady rate.
    sent = due;
  }, TICK_MS);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => clearInterval(timer));
}

/** Never rejects: no connection, no answer in time and half an answer all are status 0. */
function send(agent: Agent, target: URL, { path, key }: Planned): Promise<Answer> {
  const at = new Date().toISOString();
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const end = (status: number): void => {
      resolve({ at, path, status, ms: Math.round((performance.now() - startedAt) * 10) / 10 });
    };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const headers = key ? { authorization: key.reveal() } : {};
    const sending = request(new URL(path, target), { agent, headers, signal }, (response) => {
      response.on('end', () => end(response.statusCode ?? 0));
      response.on('error', () => end(0));
      response.resume();
    });
    sending.on('error', () => end(0));
    sending.end();
  });
}

function pick(plan: readonly Planned[]): Planned {
  const total = plan.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.random() * total;
  return plan.find(({ weight }) => (left -= weight) < 0) ?? plan[0]!;
}

async function readPlan(file: string): Promise<Planned[]> {
  const { requests } = JSON.parse(await readFile(file, 'utf8')) as Plan;
  if (requests.length === 0) throw new Error('the plan holds no request');
  return Promise.all(
    requests.map(async ({ path, key, weight }) => ({ path, weight, key: await readKey(key) })),
  );
}

async function readKey(reference: string | null): Promise<Secret | undefined> {
  if (reference === null) return undefined;
  return new Secret((await readFile(reference.replace(/^file:/, ''), 'utf8')).trim());
}
