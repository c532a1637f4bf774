import type { Repeats } from './figures.ts';

/** The result for people. Pure. */

export interface FleetResult {
  readonly options: {
    readonly deployments: number;
    readonly atOnce: number;
    readonly workers: number;
    readonly wholeMs: number;
  };
  readonly outcomes: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
  readonly idealMs: number;
  readonly peakBytes: number;
  readonly serverPeakBytes: number;
  /** Two for each: when it died, and when it was back. */
  readonly kills: number;
  readonly outOfOrder: readonly string[];
  readonly repeats: Repeats;
  /** Deployments that had no run, or several. */
  readonly notOnce: number;
  readonly verdicts: readonly { readonly what: string; readonly met: boolean }[];
}

export function fleetTable(result: FleetResult): string {
  const { options, outcomes, elapsedMs, idealMs, peakBytes, serverPeakBytes, repeats } = result;
  const { deployments, atOnce, workers, wholeMs } = options;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  const line = (name: string, value: string): string => `${name.padEnd(34)} ${value}`;
  return [
    `${deployments} simulated deployments, ${atOnce} at once over ${workers} workers, ${seconds(wholeMs)} each on average (half to one and a half of it)`,
    `killed on the way: ${result.kills > 0 ? 'the worker and the Temporal server, once each' : 'nothing'}`,
    '',
    line(
      'outcomes',
      Object.entries(outcomes)
        .map(([name, count]) => `${count} ${name}`)
        .join(', '),
    ),
    line('elapsed', seconds(elapsedMs)),
    line('ideal schedule', seconds(idealMs)),
    line('elapsed to ideal', (elapsedMs / idealMs).toFixed(2)),
    line('peak memory of the worker', megabytes(peakBytes)),
    line('peak memory of the Temporal server', megabytes(serverPeakBytes)),
    line('began out of order', String(result.outOfOrder.length)),
    line('steps done again', `${repeats.repeated}, of them ${repeats.byKills} that were under way at a kill`),
    line('deployments without exactly one run', String(result.notOnce)),
    '',
    ...result.verdicts.map(({ what, met }) => `${met ? 'met    ' : 'NOT MET'} ${what}`),
    '',
    "ideal schedule: the same turns, each run as long as the longest path of its steps' own durations, nothing else takes time; kills are no part of it",
    ...result.outOfOrder.slice(0, 5).map((pair) => `out of order: ${pair}`),
  ].join('\n');
}
