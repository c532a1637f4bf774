import { describe, expect, test } from 'vitest';
import { configDigest, planDigest } from '../../adapters/config/digest.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import type { ForecastAnswer } from '../../domain/plan.ts';
import type { PlanDocument } from '../../domain/plan-document.ts';
import { planDiff } from '../../report/plan-diff.ts';
import { planHtml } from '../../report/plan-html.ts';
import { planText } from '../../report/plan-text.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { planDocument } from '../../runbooks/plan-document.ts';
import type { RecoverRequest } from '../../runbooks/shape.ts';

const FORECAST: ForecastAnswer = {
  set: '20261124T031500Z-1f2e',
  site: 'paris',
  createdAt: '2026-11-24T03:15:00.000Z',
  verified: false,
  snapshots: [],
  points: [],
  forecast: { totalMs: 20 * 60_000, parts: [{ name: 'redis', durationMs: 1, arithmetic: '1 key at 1/s' }] },
};

function documentOf(
  request: Partial<RecoverRequest> = {},
  forecast: ForecastAnswer | string = FORECAST,
  example = EXAMPLE,
): PlanDocument {
  const deployment = parseConfig(example, 'tyk-dr.yaml').deployments['payments']!;
  const plan = compilePlan(shapeOf('payments', deployment), {
    ...{ to: 'london', backup: 'latest', scenario: 'infrastructure', inPlace: false, onFailure: 'ask' },
    ...request,
  });
  const digests = { planDigest: planDigest(plan), configDigest: configDigest(deployment) };
  return planDocument(plan, { ...digests, deployment, forecast });
}

describe('the plan says', () => {
  test('of every step that changes something what that is, and of no other', () => {
    for (const request of [{}, { to: 'paris', inPlace: true }, { to: 'paris', component: 'redis' as const }])
      for (const { id, risk, overwrites } of documentOf(request).steps)
        expect(overwrites.length > 0, `${id} ${overwrites.join()}`).toBe(risk === 'mutate');
  });

  test('which folder is replaced, and where clients go', () => {
    const text = planText(documentOf());
    expect(text).toContain(
      'replaces /var/lib/redis/data; what is there is kept beside it until the close-out',
    );
    expect(text).toMatch(/sends clients of https:\/\/api.example.org to london-gw1/);
  });

  test('that the forecast is beyond the RTO, and that the set was never proven', () => {
    const { warnings } = documentOf();
    expect(warnings).toContainEqual(expect.stringMatching(/forecast of 20 min .*beyond the RTO of 15 min/));
    expect(warnings).toContainEqual(expect.stringContaining('20261124T031500Z-1f2e was never proven'));
  });

  test('that nobody is left to approve, where one of the few who may starts the run', () => {
    const people = `    approvers: [{ name: ann, roles: [lead] }, { name: bob, roles: [lead] }, { name: eve, roles: [ops] }]`;
    const warnings = (count: number, role: string): string =>
      documentOf(
        {},
        FORECAST,
        EXAMPLE.replace(
          '  payments:\n',
          `  payments:\n${people}\n    approvals: [{ step: switch-traffic, count: ${count}, roles: [${role}] }]\n`,
        ),
      ).warnings.join('\n');
    expect(warnings(1, 'ops')).toContain('switch-traffic cannot be approved if eve starts the run');
    expect(warnings(2, 'lead')).toContain('switch-traffic cannot be approved if ann or bob starts the run');
    expect(warnings(1, 'lead')).not.toContain('cannot be approved');
  });

  test('why there is no forecast, rather than none', () => {
    const document = documentOf({}, 'no Temporal server answers');
    expect(planText(document)).toContain('not measured: no Temporal server answers');
    expect(planHtml(document)).toContain('Not measured: no Temporal server answers');
  });

  test('on a page that asks nothing of the network, and escapes what it is told', () => {
    const html = planHtml(documentOf({}, '<script>alert(1)</script>'));
    expect(html).not.toMatch(/<script|<link|<img|src=/);
    expect(html).toContain('&lt;script&gt;');
  });
});

describe('the difference of two plans', () => {
  test('is nothing where both would do the same', () => {
    expect(planDiff(documentOf(), documentOf())).toEqual([]);
  });

  test('names steps that are gone and why', () => {
    const changes = planDiff(documentOf(), documentOf({ scenario: 'network' }));
    expect(changes).toContain('~ scenario: infrastructure -> network');
    expect(changes).toContain('- step restore-redis-data (left out: scenario)');
  });

  test('names a folder that is replaced now, and a worker that has moved', () => {
    const moved = EXAMPLE.replaceAll('/var/lib/redis/data', '/data/redis').replace(
      'worker: paris',
      'worker: lyon',
    );
    const changes = planDiff(
      documentOf({ to: 'paris', inPlace: true }),
      documentOf({ to: 'paris', inPlace: true }, FORECAST, moved),
    );
    expect(changes).toContainEqual(
      expect.stringMatching(/^\+ step restore-redis-data: replaces \/data\/redis/),
    );
    expect(changes).toContainEqual(
      expect.stringMatching(/^- step restore-redis-data: replaces \/var\/lib\/redis/),
    );
    expect(changes).toContainEqual(
      expect.stringMatching(/^~ step claim-target, workers: \["paris"\] -> \["lyon"\]/),
    );
  });
});

test('the digest is that of the plan alone: the same request, the same digest', () => {
  expect(documentOf({}, 'none').planDigest).toBe(documentOf().planDigest);
  expect(documentOf({ scenario: 'network' }).planDigest).not.toBe(documentOf().planDigest);
});
