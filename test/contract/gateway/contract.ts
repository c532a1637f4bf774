import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { REAL_VERSION, RUNS_REAL_GATEWAY } from '../../harness/gateway.ts';

/**
 * Assertions about the Gateway that are first seen to hold on the real one.
 *
 * On the real Gateway (TYK_GATEWAY_BIN is set) they run as ordinary tests; with TYK_GATEWAY_PROVE=1 as well,
 * the ids that passed are written down in `proven-on-5.3.8.json`. On the stand-in an
 * id that is not written down there fails, however the stand-in behaves: nobody has seen a Gateway do it.
 */
const PROVEN_FILE = path.join(import.meta.dirname, 'proven-on-5.3.8.json');
export const PROVEN_VERSION = 'v5.3.8';
/** Session cache and reconnection take about 10 s each in a Gateway; twice that is an answer too. */
const TIMEOUT_MS = 40_000;
export const PROVES = RUNS_REAL_GATEWAY && process.env['TYK_GATEWAY_PROVE'] === '1';

/** For titles, so that a report says what it is about. */
export const GATEWAY_UNDER_TEST = RUNS_REAL_GATEWAY
  ? `the real Gateway ${REAL_VERSION}`
  : `the stand-in for Gateway ${PROVEN_VERSION}`;

interface Proven {
  readonly version: string;
  readonly ids: Record<string, readonly string[]>;
}

export interface Contract {
  /** One assertion. Those that wait long can run beside each other with `proves.concurrent`. */
  (id: string, title: string, body: () => Promise<void>): void;
  concurrent(id: string, title: string, body: () => Promise<void>): void;
}

/** Opens the contract of one area: ids begin with its name, and all that is proven of it must be asserted. */
export function contractOf(area: string): Contract {
  const proven = readProven().ids[area] ?? [];
  const declared: string[] = [];
  const passed: string[] = [];
  const guarded = (id: string, body: () => Promise<void>) => {
    declared.push(id);
    return async () => {
      if (!RUNS_REAL_GATEWAY && !proven.includes(id)) {
        throw new Error(`${id} was never seen to pass on the real Gateway: prove it first`);
      }
      await body();
      passed.push(id);
    };
  };
  const contract: Contract = (id, title, body) => test(`${id}: ${title}`, guarded(id, body), TIMEOUT_MS);
  contract.concurrent = (id, title, body) =>
    test.concurrent(`${id}: ${title}`, guarded(id, body), TIMEOUT_MS);

  test(`${area}: everything proven on ${PROVEN_VERSION} is asserted, on ${GATEWAY_UNDER_TEST}`, () => {
    expect(new Set(declared).size).toBe(declared.length);
    expect(declared.filter((id) => !id.startsWith(`${area}.`))).toEqual([]);
    if (!PROVES) expect([...declared].sort()).toEqual(expect.arrayContaining([...proven]));
  });
  if (PROVES) afterAll(() => record(area, passed));
  return contract;
}

// Test files run beside each other: one at a time may rewrite the list.
async function record(area: string, passed: readonly string[]): Promise<void> {
  const lock = `${PROVEN_FILE}.lock`;
  for (;;) {
    try {
      writeFileSync(lock, '', { flag: 'wx' });
      break;
    } catch {
      await delay(20);
    }
  }
  try {
    const ids = { ...readProven().ids, [area]: [...passed].sort() };
    const sorted = Object.fromEntries(Object.entries(ids).sort(([a], [b]) => a.localeCompare(b)));
    writeFileSync(PROVEN_FILE, `${JSON.stringify({ version: PROVEN_VERSION, ids: sorted }, null, 2)}\n`);
  } finally {
    rmSync(lock);
  }
}

function readProven(): Proven {
  if (!existsSync(PROVEN_FILE)) return { version: PROVEN_VERSION, ids: {} };
  return JSON.parse(readFileSync(PROVEN_FILE, 'utf8')) as Proven;
}
