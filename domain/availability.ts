/**
 * Availability over months, out of what a client outside saw: requests that were answered, of all that were made, and of
 * how much of the time anything is known. Pure; memory does not grow with the requests.
 */

export interface Availability {
  readonly days: number;
  readonly requests: number;
  readonly failed: number;
  /** Of the minutes of the period, those in which at least one request was made: 0 to 1. */
  readonly coverage: number;
  /** UTC ISO of the first request in the period; absent where there is none. */
  readonly from?: string;
}

/** Less of the period than this proves nothing about it. */
export const ENOUGH = 0.9;

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Counts requests of one period that ends now. */
export class AvailabilityCount {
  readonly #days: number;
  readonly #fromMs: number;
  readonly #untilMs: number;
  /** One bit a minute. */
  readonly #minutes: Uint8Array;
  #requests = 0;
  #failed = 0;
  #first = Infinity;

  constructor(days: number, nowMs: number) {
    this.#days = days;
    this.#untilMs = nowMs;
    this.#fromMs = nowMs - days * DAY_MS;
    this.#minutes = new Uint8Array(days * (DAY_MS / MINUTE_MS));
  }

  add(atMs: number, failed: boolean): void {
    if (!(atMs >= this.#fromMs && atMs < this.#untilMs)) return;
    this.#requests += 1;
    if (failed) this.#failed += 1;
    if (atMs < this.#first) this.#first = atMs;
    this.#minutes[Math.floor((atMs - this.#fromMs) / MINUTE_MS)] = 1;
  }

  result(): Availability {
    const seen = this.#minutes.reduce((sum, minute) => sum + minute, 0);
    return {
      ...{ days: this.#days, requests: this.#requests, failed: this.#failed },
      coverage: seen / this.#minutes.length,
      ...(this.#requests === 0 ? {} : { from: new Date(this.#first).toISOString() }),
    };
  }
}

/** `99.95 % of 86400 requests`: never rounded up to a whole that it is not. */
export function availabilityPercent({ requests, failed }: Availability): number | undefined {
  return requests === 0 ? undefined : Math.floor(((requests - failed) / requests) * 1e5) / 1e3;
}

export type AvailabilityVerdict = 'met' | 'missed' | 'not measured' | 'no SLO';

/** What is surely missed is missed however little was seen; what was not seen is never met. */
export function availabilityVerdict(
  measured: Availability,
  sloPercent: number | undefined,
): AvailabilityVerdict {
  const { requests, failed, coverage } = measured;
  if (sloPercent === undefined) return 'no SLO';
  if (requests === 0) return 'not measured';
  const percent = ((requests - failed) / requests) * 100;
  // Had every minute that nobody looked at been well, it would still be missed.
  if (100 - (100 - percent) * coverage < sloPercent) return 'missed';
  return coverage < ENOUGH ? 'not measured' : percent >= sloPercent ? 'met' : 'missed';
}

/** What a client outside saw, or why nobody knows. */
export interface AvailabilityFacts {
  readonly measured?: readonly Availability[];
  readonly sloPercent?: number;
  readonly why?: string;
}
