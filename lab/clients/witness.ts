import { isOutage } from '../../domain/witness.ts';

/** What the witness saw, read and summed up. Pure. */

/** One request of the witness. */
export interface Answer {
  /** When it was sent, ISO 8601. */
  readonly at: string;
  readonly path: string;
  /** The HTTP status; 0 where no answer came. */
  readonly status: number;
  readonly ms: number;
}

export interface Outage {
  /** When the first request failed. */
  readonly from: string;
  /** When the first request after it was sent that succeeded; null where none did. */
  readonly until: string | null;
  readonly failed: number;
}

export interface Summary {
  readonly requests: number;
  readonly failed: number;
  /** Null where nothing was sent: nothing is known then. */
  readonly availabilityPercent: number | null;
  /** Over the requests that were answered, whatever the status; null where none was. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Unbroken runs of failures, in the order in which the requests were sent. */
  readonly outages: readonly Outage[];
}

/** Reads the witness's file. A last line without its end is what a killed witness leaves: it is left out. */
export function parseWitness(text: string): Answer[] {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  return complete
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer);
}

/** Refusals (401, 403, 429) are answers of a Gateway that works. */
export function isFailure(answer: Answer): boolean {
  return isOutage(answer.status);
}

/** Sums up requests in any order: they are written when they end, and slow ones end late. */
export function summarise(lines: readonly Answer[]): Summary {
  const sent = lines.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const failed = sent.filter(isFailure).length;
  const durations = sent.filter(({ status }) => status !== 0).map(({ ms }) => ms);
  durations.sort((a, b) => a - b);
  return {
    requests: sent.length,
    failed,
    availabilityPercent: sent.length === 0 ? null : (100 * (sent.length - failed)) / sent.length,
    p50Ms: percentile(durations, 50),
    p95Ms: percentile(durations, 95),
    p99Ms: percentile(durations, 99),
    outages: outagesOf(sent),
  };
}

function outagesOf(sent: readonly Answer[]): Outage[] {
  const outages: Outage[] = [];
  let open: { from: string; failed: number } | undefined;
  for (const answer of sent) {
    if (isFailure(answer)) {
      open ??= { from: answer.at, failed: 0 };
      open.failed += 1;
    } else if (open) {
      outages.push({ ...open, until: answer.at });
      open = undefined;
    }
  }
  return open ? [...outages, { ...open, until: null }] : outages;
}

/** The nearest rank: a duration that was measured, never one between two. */
function percentile(sorted: readonly number[], percent: number): number | null {
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? null;
}
