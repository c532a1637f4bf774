import { describe, expect, test } from 'vitest';
import { circleProblems, strategyTable, type StrategyResult } from '../../bench/strategies-table.ts';

type Graceful = StrategyResult['graceful'][number];

const right: Graceful = {
  ...{ outcome: 'RECOVERED', writesHeldMs: 900, decisionToTrafficMs: 2_000, lost: 0, failedRequests: 0 },
};

function circles(...graceful: Graceful[]): StrategyResult[] {
  const forced = {
    outcome: 'RECOVERED',
    ...{ detectedMs: 11_000, decidedMs: 12_000, decisionToTrafficMs: 3_000, failedRequests: 112 },
  } as const;
  return [{ strategy: 'warm-standby', ...forced, losses: [], graceful }];
}

describe('circles', () => {
  test('are right where each is recovered, and nothing is lost and no request failed', () => {
    expect(circleProblems(circles(right, { ...right, outcome: 'RECOVERED_WITH_EXCEPTIONS' }))).toEqual([]);
    expect(circleProblems(circles())).toEqual([]);
  });

  test.each<[string, Partial<Graceful>, RegExp]>([
    ['a number is lost', { lost: 1 }, /numbers lost: 1$/],
    ['a request failed', { failedRequests: 2 }, /requests failed: 2;/],
    ['one is not recovered', { outcome: 'FAILED_UNDONE' }, /: FAILED_UNDONE: /],
  ])('are not where %s, and the one is named', (_, change, told) => {
    const [problem, ...others] = circleProblems(circles(right, { ...right, ...change }, right));
    expect(problem).toMatch(/^warm-standby, graceful failover 2 of 3: /);
    expect(problem).toMatch(told);
    expect(others).toEqual([]);
  });

  test('are not where it was not measured, and the table says so', () => {
    const { lost: _lost, failedRequests: _failed, ...unmeasured } = right;
    const results = circles(right, unmeasured);
    expect(circleProblems(results)).toEqual([
      'warm-standby, graceful failover 2 of 2: RECOVERED: writes held for 900 ms; requests failed: not measured; numbers lost: not measured',
    ]);
    expect(strategyTable(results, 'small').split('\n').at(-1)).toMatch(/\| not measured \| not measured \|$/);
  });
});
