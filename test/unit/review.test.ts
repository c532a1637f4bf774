import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EXAMPLE } from '../../cli/init-example.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { drillStanding } from '../../domain/drill-standing.ts';
import { findingsOf } from '../../domain/findings.ts';
import type { Entry } from '../../domain/journal.ts';
import { quarterAt, quarterOf } from '../../domain/quarter.ts';
import type { RunRecord } from '../../domain/run.ts';
import { htmlOf, markdownOf, type Document } from '../../report/document.ts';
import { handbookDocument } from '../../report/handbook.ts';
import { postIncident } from '../../report/post-incident.ts';
import { reviewDocument } from '../../report/review.ts';
import { FAILOVER_STEPS } from '../../runbooks/failover.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { runRecord } from '../harness/run-record.ts';

/** What is written for people from the records of runs: it says what was measured, and of the rest that it was not. */

const { deployments } = parseConfig(EXAMPLE, 'tyk-dr.yaml');
const [name, deployment] = Object.entries(deployments)[0]!;
const OBJECTIVES = { rtoMs: 900_000, rpoMs: 300_000 };
const ATTACK = '<script>alert(1)</script> | `x`';

const ofMonth = (month: string, seconds: number, changes: Partial<RunRecord> = {}): RunRecord => {
  const at = (second: number): string =>
    new Date(Date.parse(`2026-${month}-10T00:00:00Z`) + second * 1000).toISOString();
  return runRecord({
    run: `rec-2026${month}10-000000-0001`,
    ...{ outcome: 'RECOVERED', endedAt: at(seconds + 60) },
    clock: [
      { name: 'declared', at: at(0), source: 'a test' },
      { name: 'traffic verified', at: at(seconds), source: 'prove-traffic' },
    ],
    ...changes,
  });
};

const section = (document: Document, title: RegExp) =>
  document.sections.find((each) => title.test(each.title))!;

describe('quarters', () => {
  test('have their months, and a moment has its quarter', () => {
    expect(quarterOf('2026-Q4')).toMatchObject({
      from: '2026-10-01T00:00:00.000Z',
      until: '2027-01-01T00:00:00.000Z',
    });
    expect(quarterAt('2026-09-30T23:59:59.999Z').name).toBe('2026-Q3');
    for (const text of ['2026-Q5', '2026-Q0', '1999-Q1', '2026Q1', ''])
      expect(quarterOf(text)).toBeUndefined();
  });
});

describe('the quarterly review', () => {
  const review = (
    records: readonly RunRecord[],
    entries: readonly Entry[] = [],
    objectives = OBJECTIVES,
    roles: Parameters<typeof drillStanding>[0]['roles'] = {},
  ): Document => {
    const now = '2026-11-20T00:00:00.000Z';
    const standing = drillStanding({
      ...{ records, entries, now, limits: { config: true, versions: true, dataPercent: 50 } },
      ...{ roles, current: { configDigest: 'c'.repeat(64) } },
    });
    return reviewDocument({
      standing,
      ...{ name, tier: 'critical', objectives, people: deployment, quarter: quarterOf('2026-Q4')!, now },
      ...{ records, entries, findings: findingsOf(records, entries, now) },
    });
  };

  test('lists the runs of the quarter, draws every run until then, and says what is not measured', () => {
    const document = review([ofMonth('08', 60), ofMonth('10', 1200), ofMonth('11', 120)]);
    expect(section(document, /^Runs/)).toMatchObject({ title: 'Runs: 2' });
    expect(section(document, /^Runs/).table!.rows.map((row) => row.at(-1))).toEqual(['MISSED', 'met']);
    const trend = section(document, /^Recovery time/);
    expect(trend.text![0]).toContain('median 2 min 00 s, longest 20 min 00 s');
    expect(trend.svg!.match(/<circle/g)).toHaveLength(3);
    for (const title of [/^Loss of data/, /^Availability/])
      expect(section(document, title).text![0]).toMatch(/^Not measured/);
    expect(section(document, /^Drills/).text![0]).toBe('No drill in this quarter.');
    expect(section(document, /^Drills due/).text![0]).toMatch(/^No calendar of drills is in force/);
  });

  test('shows which drills were due, who has practised, and what has changed since the last one', () => {
    const calendar = {
      ...{ kind: 'calendar', lateMs: 86_400_000, signWithinMs: 0, actor: 'ann', id: '1' },
      ...{ at: '2026-09-15T00:00:00.000Z', schedules: { full: { cron: '0 9 1 * *', timezone: 'UTC' } } },
    } as Entry;
    const drill = {
      ...ofMonth('10', 60),
      ...{ run: 'drl-1', runbook: 'drill', outcome: 'RECOVERED', configDigest: 'old' },
      clock: [{ name: 'started', at: '2026-10-01T09:00:05.000Z', source: '' }],
      drill: {
        ...{ type: 'full', scenario: 'regional', end: 'teardown', limitMs: 1 },
        participants: [{ role: 'commander', person: 'ann' }],
      },
    } as RunRecord;
    const roles = {
      commander: { people: ['ann'], deputies: ['bob'], trainEvery: 90 * 86_400_000, practised: 2 },
    };
    const document = review([drill], [calendar], OBJECTIVES, roles);
    const due = section(document, /^Drills due/);
    expect(due.title).toBe('Drills due and done: 1 of 2');
    expect(due.table!.rows.map(([, , state, run]) => `${state} ${run}`)).toEqual(['done drl-1', 'late ']);
    expect(section(document, /^Who has practised/).text).toEqual(['Too few: commander (1 of 2).']);
    expect(section(document, /^Who has practised/).table!.rows.map((row) => row.at(-1))).toEqual([
      ...['yes', 'NO (90 days)'],
    ]);
    expect(section(document, /^Changes since/).list![0]).toMatch(/^the configuration \(old, now ccc/);
    expect(section(document, /^What is missing/).list).toEqual([
      'No lesson was recorded of the full drill drl-1.',
    ]);
  });

  test('a quarter without a run says that nothing was shown to work', () => {
    expect(section(review([]), /^Runs/).text).toEqual(['No run in this quarter: nothing was shown to work.']);
  });

  test('names overdue and recurring findings, runs without a lesson, the audit that is due', () => {
    const records = [ofMonth('10', 1200), ofMonth('11', 1300)];
    const [rto] = findingsOf(records, [], '2026-11-20').filter(({ check }) => check === 'rto');
    const said = { actor: 'ann', at: '2026-10-12T00:00:00.000Z', id: '1' };
    const entries: Entry[] = [
      { ...said, kind: 'assigned', finding: rto!.id, owner: 'bob', due: '2026-11-01' },
      { ...said, kind: 'lesson', run: records[0]!.run, text: ATTACK, owner: 'eve' },
      {
        ...said,
        at: '2025-10-01T00:00:00.000Z',
        kind: 'imported',
        source: 'audit',
        by: 'Auditors Ltd',
        findings: [],
        passed: [],
      },
    ];
    const document = review(records, entries);
    expect(section(document, /^Open findings/).text![0]).toMatch(/^1 overdue, \d+ recurring/);
    expect(section(document, /^Lessons/).text![0]).toContain(records[1]!.run);
    expect(section(document, /audit/).text![0]).toContain('due 2026-10-01: OVERDUE');
    expect(section(review(records), /audit/).text![0]).toContain('one is due');
  });

  test('objectives that changed since the last sign-off are told', () => {
    const entry: Entry = {
      ...{ kind: 'signed', actor: 'ann', at: '2026-10-12T00:00:00.000Z', id: '1', quarter: '2026-Q3' },
      ...{ role: 'cto', review: 'a'.repeat(64), tier: 'critical', objectives: OBJECTIVES },
    };
    expect(section(review([], [entry]), /^Objectives/).text![0]).toMatch(/none\.$/);
    expect(section(review([], [entry], { rtoMs: 60_000, rpoMs: 300_000 }), /^Objectives/).list).toEqual([
      'RTO: 15 min 00 s, now 1 min 00 s',
    ]);
    expect(section(review([], [entry]), /^Sign-off/).text![0]).toContain('Nobody has signed');
  });

  test('what people wrote stays text, in both forms', () => {
    const lesson: Entry = {
      kind: 'lesson',
      run: 'r',
      text: ATTACK,
      owner: 'eve',
      actor: 'a',
      at: '2026-10-12',
      id: '1',
    };
    const document = review([ofMonth('10', 60, { reason: ATTACK })], [lesson]);
    expect(htmlOf(document)).not.toContain('<script>alert');
    expect(markdownOf(document)).toContain('&lt;script>alert(1)&lt;/script> \\| \\`x\\`');
    expect(htmlOf(document)).not.toMatch(/(src|href)=/);
  });
});

describe('the handbook', () => {
  const facts = {
    name,
    deployment,
    shape: shapeOf(name, deployment),
    configDigest: 'c'.repeat(64),
    version: '1',
    now: '',
  };

  test('has every step of the runbook, every site and component in the picture, and no secret by value', () => {
    const document = handbookDocument({ ...facts, records: [] });
    const steps = document.sections.flatMap(({ title, table }) =>
      title.startsWith('Procedure') ? table!.rows : [],
    );
    expect(steps.map(([id]) => id)).toEqual(RECOVER_STEPS.map(({ id }) => id));
    const { svg } = section(document, /^Architecture/);
    for (const site of Object.keys(deployment.sites)) expect(svg).toContain(`site ${site}`);
    for (const what of ['Redis', 'Gateway', 'Dashboard', deployment.backup.repository])
      expect(svg).toContain(what);
    expect(section(document, /^Measured/).text![0]).toContain('nothing is measured');
  });

  test('counts what came back of what was tried, and not what was refused', () => {
    const records = [
      ofMonth('08', 60),
      ofMonth('09', 90, { outcome: 'STUCK' }),
      ofMonth('10', 90, { outcome: 'REFUSED' }),
    ];
    const measured = section(handbookDocument({ ...facts, records }), /^Measured/);
    expect(measured.text![0]).toMatch(/^1 of 2 recoveries/);
    expect(measured.table!.rows[0]!.slice(1, 3)).toEqual(['2', '1']);
  });
});

describe('the handbook of a deployment with a standby', () => {
  const text = readFileSync('examples/financial-services.yaml', 'utf8');
  const payments = parseConfig(text, 'tyk-dr.yaml').deployments['payments']!;
  const facts = {
    ...{ name: 'payments', deployment: payments, shape: shapeOf('payments', payments) },
    ...{ configDigest: 'c'.repeat(64), version: '1', now: '' },
  };
  const of = (more: Partial<Parameters<typeof handbookDocument>[0]>): Document =>
    handbookDocument({ ...facts, records: [], ...more });

  test('says where it is and how current, as it was measured; or why that is not known', () => {
    const at = '2026-11-10T00:00:00.000Z';
    const findings = [
      { id: 'replication', severity: 'ok', where: 'dr', message: 'redis follows, 0 ms behind' },
      { id: 'drift', severity: 'warning', where: 'dr', message: `differs in ${ATTACK}` },
    ] as const;
    const seen = of({ standby: { at, findings } });
    expect(section(seen, /^Strategy/).list).toEqual([
      expect.stringMatching(/dr.*redis follows, 0 ms behind/),
      expect.stringMatching(/dr.*differs/),
    ]);
    expect(section(seen, /^Strategy/).text!.join('\n')).toContain(`Measured by the schedule watch at ${at}`);
    expect(htmlOf(seen)).not.toContain('<script>');
    const unseen = section(of({ standby: { why: 'Temporal does not answer' } }), /^Strategy/);
    expect(unseen.text!.join('\n')).toMatch(/was not measured .*: Temporal does not answer/);
    expect(Object.fromEntries(unseen.table!.rows.map(([what, value]) => [what, value]))).toMatchObject({
      lag: '1 min 00 s',
      'Gateways of the standby': '1',
    });
  });

  test('says who serves as the runs have left it: a drill and a refusal change no role', () => {
    const failover = { runbook: 'failover', mode: 'graceful', from: 'primary', to: 'dr' } as const;
    const roles = (records: RunRecord[]): string => section(of({ records }), /^Strategy/).text![1]!;
    expect(roles([])).toMatch(/^Sites that may serve: primary, dr\./);
    const made = ofMonth('08', 60, {
      runbook: 'replicate',
      from: 'primary',
      to: 'dr',
      outcome: 'REPLICATED',
    });
    const records = [made, ofMonth('09', 60, failover)];
    expect(roles([made])).toContain('primary serves, and dr follows it');
    expect(roles(records)).toContain('dr serves, and primary does not');
    expect(roles([made, ofMonth('09', 60, { ...failover, outcome: 'REFUSED' })])).toContain('primary serves');
    const measured = section(of({ records }), /^Measured/);
    expect(measured.text![0]).toMatch(/^1 of 1 recoveries and failovers/);
    expect(measured.table!.rows[0]![0]).toBe('failover, graceful, primary to dr');
  });

  test('has the commands for each site, every step of both modes, and what waits for whom', () => {
    const document = of({});
    const commands = section(document, /^To fail over, and back/);
    for (const words of [
      'failover payments --to dr --forced',
      'failover payments --to dr --graceful',
      'failback payments --to primary',
      'replicate payments --to dr',
    ])
      expect(commands.list!.join('\n')).toContain(`tyk-dr ${words}`);
    expect(commands.list!.join('\n')).not.toContain('--to rehearsal');
    const { rows } = section(document, /^Procedure: failover$/).table!;
    expect(rows.map(([id]) => id)).toEqual(FAILOVER_STEPS.map(({ id }) => id));
    const modeOf = Object.fromEntries(rows.map(([id, mode]) => [id!, mode!]));
    expect(modeOf['await-level']).toBe('graceful');
    expect(modeOf['promote-database']).toBe('both');
    expect(modeOf['drain-source']).toBe('not here');
    const approval = { step: 'fence-source', count: 1, roles: [], timeoutMs: 1, onTimeout: 'abort' } as const;
    const gated = { ...facts.shape, approvals: [approval] };
    expect(section(of({ shape: gated }), /^To fail over, and back/).text!.join('\n')).toContain(
      'waits for approvals before fence-source',
    );
    expect(section(document, /^To fail over where/).list!.join('\n')).toMatch(
      /pg_promote[\s\S]*REPLICAOF NO ONE/,
    );
    expect(markdownOf(document)).toContain('## Procedure: make a site the standby');
  });

  test('is not in the handbook of one that restores from backups', () => {
    const titles = handbookDocument({ ...facts, deployment, shape: shapeOf(name, deployment), records: [] });
    expect(titles.sections.map(({ title }) => title).join('\n')).not.toMatch(/fail over|Strategy/);
  });
});

test('the post-incident report has what the record knows, and asks for the rest', () => {
  const text = postIncident(ofMonth('10', 1200, { reason: ATTACK, exceptions: ['start-pump: late'] }));
  expect(text).toContain('20 min 00 s, of 15 min 00 s');
  expect(text).toContain('exception/run');
  expect(text).not.toContain('<script>');
  expect(text.match(/TO FILL IN/g)!.length).toBeGreaterThan(4);
});
