import { drillStanding } from '../../domain/drill-standing.ts';
import { describe, expect, test } from 'vitest';
import { answerControls } from '../../domain/control-map.ts';
import type { DrillRecord } from '../../domain/drill.ts';
import { findingsOf } from '../../domain/findings.ts';
import { quarterOf } from '../../domain/quarter.ts';
import { summaryOf } from '../../domain/run-summary.ts';
import { checksOf } from '../../domain/run-checks.ts';
import type { RunRecord } from '../../domain/run.ts';
import { markdownOf } from '../../report/document.ts';
import { historyEntry, historyLines } from '../../report/history.ts';
import { htmlReport } from '../../report/html.ts';
import { postIncident } from '../../report/post-incident.ts';
import { reviewDocument } from '../../report/review.ts';
import { textReport } from '../../report/text.ts';
import { runRecord } from '../harness/run-record.ts';

/** A drill says for whom it was, that production was left alone and what is left; what nobody looked at is never told as well. */

const GOOD: DrillRecord = {
  type: 'component',
  scenario: 'infrastructure',
  component: 'redis',
  ...{ end: 'teardown', limitMs: 3_600_000 },
  participants: [{ role: 'commander', person: 'ann' }],
  present: [{ role: 'commander', person: 'bob', deputy: true }],
  scheduled: { schedule: 'monthly', dueAt: '2026-01-01T00:00:00.000Z' },
  untouched: {
    verdict: 'pass',
    looks: [{ what: 'Redis keys', before: '120', after: '120', verdict: 'pass' }],
  },
  leaks: { verdict: 'pass', made: 7, left: [] },
};
const PLANTED: DrillRecord = {
  ...GOOD,
  plant: 'missing-api',
  plantNoticed: {
    ...{ plant: 'missing-api', expected: 'prove-dashboard', noticed: false },
    by: ['measure-loss'],
  },
};

const drill = (changes: Partial<DrillRecord> = {}, record: Partial<RunRecord> = {}): RunRecord =>
  runRecord({
    ...{ run: 'drl-20260101-000000-0001', runbook: 'drill', outcome: 'RECOVERED', component: 'redis' },
    drill: { ...GOOD, ...changes },
    ...record,
  });
const shownOf = (record: RunRecord): string[] => [
  textReport(record),
  htmlReport(record).replaceAll(/<[^>]+>/g, ' '),
  postIncident(record),
];

describe('the report of a drill', () => {
  test('says what kind it was, who was to take part and who did, and what the live site was before and after', () => {
    for (const shown of shownOf(drill())) {
      expect(shown).toMatch(/component drill|Drill: component|DRILL: COMPONENT/);
      expect(shown).toContain('ann as commander');
      expect(shown).toContain('bob as commander (stands in)');
      expect(shown).toContain('schedule monthly, due 2026-01-01T00:00:00.000Z');
      expect(shown).toMatch(/production untouched: yes/i);
      expect(shown).toMatch(/Redis keys\W+120\W+120\W+pass/);
      expect(shown).toMatch(/everything that the drill made is removed: yes/i);
    }
    expect(htmlReport(drill())).toContain('<title>RECOVERED: drill acme');
  });

  test('names what has changed on the live site and what is left behind', () => {
    const record = drill({
      untouched: {
        verdict: 'fail',
        looks: [{ what: 'Redis keys', before: '120', after: '119', verdict: 'fail' }],
      },
      leaks: { verdict: 'fail', made: 7, left: ['process 4711'] },
    });
    for (const shown of shownOf(record)) {
      expect(shown).toMatch(/production untouched: NO/i);
      expect(shown).toMatch(/120\W+119\W+fail/);
      expect(shown).toContain('process 4711');
    }
  });

  test('does not take for good what nobody looked at', () => {
    const { untouched: _, leaks: __, ...blind } = GOOD;
    for (const own of [
      blind,
      { ...GOOD, untouched: { verdict: 'pass' as const, looks: [] }, leaks: undefined },
    ]) {
      const record = runRecord({ runbook: 'drill', outcome: 'RECOVERED', drill: own as DrillRecord });
      for (const shown of shownOf(record)) {
        expect(shown).toMatch(/production untouched: NOT MEASURED/i);
        expect(shown).toMatch(/removed: NOT MEASURED/i);
      }
      expect(checksOf(record).filter(({ verdict }) => verdict === 'not-measured')).toMatchObject([
        { check: 'drill/untouched' },
        { check: 'drill/leaks' },
        { check: 'rpo' },
      ]);
    }
  });

  test('shouts where a planted fault was not noticed, and where that is not known', () => {
    for (const shown of shownOf(drill(PLANTED))) {
      expect(shown).toMatch(/A PLANTED FAULT WAS NOT NOTICED/);
      expect(shown).toContain('prove-dashboard should have gone red, measure-loss did');
    }
    for (const shown of shownOf(drill({ plant: 'clock-step' })))
      expect(shown).toContain('clock-step: NOT KNOWN whether it was noticed');
  });

  test('nothing of it stands in the report of a recovery', () => {
    for (const shown of shownOf(runRecord({ outcome: 'RECOVERED' })))
      expect(shown).not.toMatch(/drill|untouched/i);
  });

  test('in the list of runs it is told from a recovery', () => {
    const [, line] = historyLines([historyEntry(summaryOf(drill()), 'repository')]);
    expect(line).toContain('component drill: redis from primary to dr');
  });
});

describe('what a drill has found', () => {
  const findings = (record: RunRecord) => findingsOf([record], [], '2026-02-01T00:00:00.000Z');

  test('a fault that was not noticed is critical; what failed in a broken target is no finding', () => {
    const record = drill(PLANTED, {
      outcome: 'STUCK',
      proofs: [{ step: 's', name: 'p', verdict: 'fail', expected: 'a', actual: 'b' }],
    });
    expect(findings(record)).toMatchObject([{ check: 'plant/missing-api', severity: 'critical' }]);
    const noticed = { ...PLANTED.plantNoticed!, noticed: true, by: ['prove-dashboard'] };
    expect(findings(drill({ ...PLANTED, plantNoticed: noticed }, { outcome: 'STUCK' }))).toEqual([]);
  });

  test('a live site that was touched is critical', () => {
    const looks = [{ what: 'port 6379', before: 'open', after: 'closed', verdict: 'fail' as const }];
    expect(findings(drill({ untouched: { verdict: 'fail', looks } }))).toContainEqual(
      expect.objectContaining({
        check: 'drill/untouched',
        severity: 'critical',
        text: 'the live site has changed: port 6379: open, then closed',
      }),
    );
  });
});

describe('the quarterly review', () => {
  test('lists drills, and leaves times of broken targets out of the trends', () => {
    const whole = ({ component: _, ...record }: RunRecord): RunRecord => record;
    const records = [whole(drill()), whole(drill(PLANTED, { run: 'drl-planted' }))];
    const page = markdownOf(
      reviewDocument({
        standing: drillStanding({
          ...{
            records: [],
            entries: [],
            roles: {},
            current: { configDigest: '' },
            now: '2026-01-01T00:00:00.000Z',
          },
          limits: { config: true, versions: true, dataPercent: 50 },
        }),
        ...{ name: 'acme', tier: 'critical', objectives: { rtoMs: 900_000, rpoMs: 300_000 } },
        ...{ people: { contacts: [], vendorSupport: [] }, quarter: quarterOf('2026-Q1')! },
        ...{ records, entries: [], findings: [], now: '2026-02-01T00:00:00.000Z' },
      }),
    );
    expect(page).toContain('Drills done: 2');
    expect(page).toMatch(/drl-planted \| component drill of redis .*missing-api: NOT NOTICED \| yes \| yes/);
    expect(page).toContain('1 run until the end of the quarter: median');
  });
});

describe('the control map', () => {
  const iso = (record: RunRecord) =>
    answerControls({ record, has: () => true }).find(({ clause }) => clause.startsWith('8.5'))!;

  test('a drill answers what a recovery cannot: who took part in an exercise', () => {
    const answered = (record: RunRecord): boolean =>
      iso(record).present.some(({ what }) => what.includes('who was to take part'));
    expect(answered(drill())).toBe(true);
    expect(answered(drill({ present: [] }))).toBe(false);
    expect(answered(runRecord())).toBe(false);
  });
});
