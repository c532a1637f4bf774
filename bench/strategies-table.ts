import { formatDuration } from '../domain/duration.ts';
import type { Outcome } from '../domain/run.ts';
import type { Strategy } from '../domain/strategy.ts';

/** What a strategy came to, and the same for people. Pure. */

export interface StrategyResult {
  readonly strategy: Strategy;
  readonly outcome: Outcome;
  /** From the command to the traffic proven; detection is not part of it. */
  readonly decisionToTrafficMs: number;
  /** From the kill to the moment at which the monitor held the site to have failed. */
  readonly detectedMs: number;
  /** From the kill to the command that fails over, or recovers. */
  readonly decidedMs: number;
  /** From the kill to the first good answer that a client got after its last failed one; absent where none came. */
  readonly outageMs?: number;
  readonly failedRequests: number;
  /** The longer of the two, which run at the same time. */
  readonly promotionsMs?: number | undefined;
  readonly losses: readonly {
    readonly store: string;
    readonly minMs?: number;
    readonly maxMs?: number;
    readonly lost?: number;
  }[];
  readonly graceful: readonly {
    readonly outcome: Outcome;
    /** From the first write that is held back to the moment at which both stores take writes on the other side. */
    readonly writesHeldMs: number;
    readonly decisionToTrafficMs: number;
    /** Numbers of the beacon; absent where it was not measured. */
    readonly lost?: number;
    readonly failedRequests?: number;
  }[];
}

type Graceful = StrategyResult['graceful'][number];

const HEAD = [
  'strategy',
  'kill to detected',
  'decision to first good answer',
  'decision to traffic proven (RTO)',
  'kill to first good answer',
  'requests failed',
  'promotions',
  'lost (RPO)',
  'graceful: writes held',
  'requests failed',
  'lost',
];

/** As Markdown: it stands in the README. */
export function strategyTable(results: readonly StrategyResult[], scale: string): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `scale ${scale}; each once on one machine, the site killed with SIGKILL under load`,
    '',
    row(HEAD),
    row(HEAD.map(() => '---')),
    ...results.map((result) => row(cellsOf(result))),
  ].join('\n');
}

const NOT_MEASURED = 'not measured';
const time = (ms: number | undefined): string => (ms === undefined ? NOT_MEASURED : formatDuration(ms));

function cellsOf(result: StrategyResult): string[] {
  const { strategy, detectedMs, decidedMs, decisionToTrafficMs, failedRequests, promotionsMs, graceful } =
    result;
  const circles = graceful.length === 0 ? ['no standby', '', ''] : gracefulCells(graceful);
  return [
    strategy,
    time(detectedMs),
    answerText(result, decidedMs),
    time(decisionToTrafficMs),
    answerText(result, 0),
    String(failedRequests),
    promotionsMs === undefined ? 'none' : time(promotionsMs),
    lossText(result),
    ...circles,
  ];
}

/** @param sinceMs counted from there, after the kill */
function answerText({ outageMs }: StrategyResult, sinceMs: number): string {
  if (outageMs === undefined) return NOT_MEASURED;
  if (outageMs === 0) return 'none failed';
  return outageMs < sinceMs ? 'before the decision' : time(outageMs - sinceMs);
}

function lossText({ losses }: StrategyResult): string {
  const worst = losses.map(({ minMs, maxMs }) => [minMs, maxMs] as const);
  if (worst.length === 0 || worst.some(([min, max]) => min === undefined || max === undefined))
    return NOT_MEASURED;
  const min = Math.max(...worst.map(([low]) => low!));
  const max = Math.max(...worst.map(([, high]) => high!));
  return `${formatDuration(min)} to ${formatDuration(max)}`;
}

function gracefulCells(graceful: StrategyResult['graceful']): string[] {
  const held = graceful.map(({ writesHeldMs }) => writesHeldMs);
  const sum = (of: (each: Graceful) => number | undefined): string => {
    const measured = graceful.flatMap((each) => of(each) ?? []);
    if (measured.length < graceful.length) return NOT_MEASURED;
    return String(measured.reduce((total, each) => total + each, 0));
  };
  const range =
    held.length === 1
      ? time(held[0])
      : `${time(Math.min(...held))} to ${time(Math.max(...held))} (${held.length} times)`;
  const lost = sum((each) => each.lost);
  return [range, sum((each) => each.failedRequests), lost === NOT_MEASURED ? lost : `${lost} numbers`];
}

/** One graceful failover, for people who watch. */
export function circleLine({ outcome, writesHeldMs, lost, failedRequests }: Graceful): string {
  const count = (number: number | undefined): string =>
    number === undefined ? NOT_MEASURED : String(number);
  return `${outcome}: writes held for ${time(writesHeldMs)}; requests failed: ${count(failedRequests)}; numbers lost: ${count(lost)}`;
}

/**
 * What is not right of the graceful failovers, in words: each must end recovered, lose no watermark and fail no request.
 * What was not measured is not right either.
 */
export function circleProblems(results: readonly StrategyResult[]): string[] {
  return results.flatMap(({ strategy, graceful }) =>
    graceful.flatMap((each, index) =>
      each.outcome.startsWith('RECOVERED') && each.lost === 0 && each.failedRequests === 0
        ? []
        : [`${strategy}, graceful failover ${index + 1} of ${graceful.length}: ${circleLine(each)}`],
    ),
  );
}
