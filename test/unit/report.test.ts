import { describe, expect, test } from 'vitest';
import { wrap } from '../../cli/live-screen.ts';
import type { Build } from '../../domain/build.ts';
import { CLOCK_POINTS, PHASES, type RunRecord, type StepRecord } from '../../domain/run.ts';
import { htmlReport } from '../../report/html.ts';
import { jsonResultLine } from '../../report/json.ts';
import { fittedTable, liveTable } from '../../report/table.ts';
import { textReport } from '../../report/text.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import type { RecoverRequest } from '../../runbooks/shape.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

const STARTED = '2026-11-24T03:00:00.000Z';
const NOW_MS = Date.parse('2026-11-24T03:01:00.000Z');

/** A run in which nothing has happened yet but what is said. */
function runOf(
  changes: Readonly<Record<string, Partial<StepRecord>>> = {},
  { request = {}, shape = FULL_SHAPE }: { request?: Partial<RecoverRequest>; shape?: typeof FULL_SHAPE } = {},
): RunRecord {
  const plan = compilePlan(shape, { ...REQUEST, ...request });
  return {
    format: 'tyk-dr/run/v1',
    run: 'rec-1',
    runbook: 'recover',
    workflowId: 'run/acme',
    deployment: 'acme',
    tier: plan.tier,
    from: plan.from,
    to: plan.to,
    ...(plan.component && { component: plan.component }),
    scenario: plan.scenario,
    reason: 'a test',
    actor: 'tester',
    configDigest: 'c',
    planDigest: 'p',
    objectives: plan.objectives,
    clock: [
      { name: 'declared', at: STARTED, source: 'a test' },
      { name: 'started', at: STARTED, source: 'a test' },
    ],
    phases: PHASES.map((phase) => ({ phase, budgetMs: 60_000 })),
    steps: RECOVER_STEPS.map(({ id, phase }) => ({
      id,
      phase,
      state: plan.steps.includes(id) ? 'pending' : 'not-part',
      ...(plan.leftOut[id] && { notPartOf: plan.leftOut[id] }),
      calls: 0,
      ...changes[id],
    })),
    proofs: [],
    exceptions: [],
    decisions: [],
    waits: [],
    alarms: [],
  };
}

const FENCE_FAILED: Partial<StepRecord> = {
  state: 'waiting',
  startedAt: STARTED,
  error: { code: 'NOT_FENCED', message: 'site primary is dark', hint: 'Look at it.', at: STARTED },
  choices: ['retry', 'confirm', 'abort'],
};

describe('a step that is left out', () => {
  test.each([
    [{ shape: { ...FULL_SHAPE, hasDashboard: false } }, 'start-dashboard', 'not part of this deployment'],
    [{ request: { scenario: 'network' } }, 'restore-redis-data', 'not needed in scenario network'],
    [{ request: { to: 'primary', component: 'redis' } }, 'start-pump', 'not part of recovering redis alone'],
    [{ request: { to: 'primary', inPlace: true } }, 'fence-source', 'not part of a rebuild in place'],
  ] as const)('of %j is shown with the reason, wherever the run is shown', (choice, step, reason) => {
    const record = runOf({}, choice);
    expect(record.steps.find(({ id }) => id === step)!.state).toBe('not-part');
    for (const shown of [liveTable(record, NOW_MS).join('\n'), textReport(record)])
      expect(shown).toContain(reason);
    expect(htmlReport(record)).toContain(`<td>${step}</td><td>${reason}</td>`);
  });
});

describe('what people decide', () => {
  const output = 'tool: <b>bad</b>\ntool: gave up';
  const record: RunRecord = {
    ...runOf({
      'start-redis': {
        state: 'by-hand',
        startedAt: STARTED,
        endedAt: STARTED,
        summary: 'made by hand, says ann: it runs',
        error: { code: 'TOOL_FAILED', message: 'redis ended', hint: 'x', at: STARTED, output },
      },
      'prove-redis': {
        state: 'done',
        startedAt: STARTED,
        summary: 'ok',
        reliesOn: ['start-redis (by hand)'],
      },
      'prove-database': { state: 'skipped', startedAt: STARTED, summary: 'skipped by bob: no time' },
      'start-dashboard': {
        state: 'waiting',
        startedAt: STARTED,
        choices: ['retry', 'done', 'undo', 'abort'],
        error: { code: 'TOOL_FAILED', message: 'it ended', hint: 'Look.', at: STARTED, output },
      },
    }),
    decisions: [
      { kind: 'done', step: 'start-redis', actor: 'ann', reason: 'it runs', at: STARTED },
      {
        kind: 'undo',
        step: 'x',
        actor: 'bob',
        reason: 'y',
        at: STARTED,
        result: 'undone: old data are back',
      },
    ],
    paused: { kind: 'pause', step: 'the run', actor: 'cleo', reason: 'wait for legal', at: STARTED },
  };

  test('is in the status with its choices, the tool’s last lines and who pauses it', () => {
    const text = liveTable(record, NOW_MS).join('\n');
    expect(text).toMatch(/^ {3}\* start-redis .* made by hand, says ann: it runs$/m);
    expect(text).toMatch(/^ {3}\/ prove-database .* skipped by bob: no time$/m);
    expect(text).toMatch(/prove-redis .* ok; relies on start-redis \(by hand\)$/m);
    expect(text).toContain('paused by cleo at 2026-11-24T03:00:00.000Z: wait for legal');
    expect(text).toContain('| tool: gave up');
    for (const typed of ['done rec-1 start-dashboard', 'undo rec-1 start-dashboard', 'resume rec-1'])
      expect(text).toContain(`tyk-dr ${typed} --reason`);
    expect(text).not.toContain('tyk-dr skip');
  });

  test('is in both reports with who and why, and that nobody has proven who it was', () => {
    const text = textReport(record);
    expect(text).toContain('done start-redis, by ann (asserted, not proven): it runs');
    expect(text).toContain('(undone: old data are back)');
    const html = htmlReport(record);
    expect(html).toContain('<td>ann (asserted, not proven)</td><td>it runs</td>');
    expect(html).toContain('<pre>tool: &lt;b&gt;bad&lt;/b&gt;\ntool: gave up</pre>');
  });
});

describe('the builds that served a run', () => {
  const [old, next] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'].map((code) => ({
    version: '0.1.0',
    code,
    workflows: 'cccccccccccc',
  })) as [Build, Build];
  const record: RunRecord = {
    ...runOf(),
    builds: [
      { worker: 'dr', build: old, step: 'check-backup' },
      { worker: 'primary', build: old, step: 'fence-source' },
      { worker: 'dr', build: next, step: 'restore-redis-data' },
    ],
  };

  test('are in status, report and HTML, each with its workers and the steps from which they answered', () => {
    for (const text of [liveTable(record, NOW_MS).join('\n'), textReport(record)]) {
      expect(text).toContain('served by 2 builds of tyk-dr');
      expect(text).toContain(
        `0.1.0 (code ${old.code}, workflows ${old.workflows}): dr from check-backup, primary from fence-source`,
      );
      expect(text).toContain(`code ${next.code}, workflows ${next.workflows}): dr from restore-redis-data`);
    }
    expect(htmlReport(record)).toContain(
      `<td>0.1.0 (code ${next.code}, workflows ${next.workflows})</td><td>dr from restore-redis-data</td>`,
    );
    expect(JSON.parse(jsonResultLine(record))).toMatchObject({ builds: record.builds });
  });

  test('are not made up for a record that does not name them', () => {
    expect(textReport(runOf())).not.toMatch(/BUILDS|served by/);
    expect(htmlReport(runOf())).not.toContain('Builds of tyk-dr');
  });
});

test('the report of a run that waits gives every command that a person may type', () => {
  const text = textReport(runOf({ 'fence-source': FENCE_FAILED }));
  for (const decision of ['retry', 'confirm', 'abort']) expect(text).toContain(`tyk-dr ${decision} rec-1`);
  expect(text).toContain('RTO clock');
});

test('the points of the clock stand in columns, the longest of their names as well', () => {
  const at = '2026-11-24T03:02:00.000Z';
  const names = CLOCK_POINTS.map((name) => ({ name, at, source: 'a test' }));
  const text = textReport({ ...runOf(), clock: names });
  const starts = text.split('\n').flatMap((line) => {
    const name = CLOCK_POINTS.find((each) => line.startsWith(`  ${each} `));
    return name === undefined || !line.includes(at) ? [] : [line.indexOf(`  ${at}  a test`)];
  });
  expect(starts).toHaveLength(CLOCK_POINTS.length);
  expect(new Set(starts).size).toBe(1);
});

describe('the live table', () => {
  test('on a small screen keeps what happens now, and drops what is over and what comes', () => {
    const done: Partial<StepRecord> = { state: 'done', startedAt: STARTED, endedAt: STARTED };
    const record = runOf({
      ...Object.fromEntries(
        RECOVER_STEPS.filter(({ phase }) => phase === 'infrastructure').map(({ id }) => [id, done]),
      ),
      'restore-redis-data': { state: 'running', startedAt: STARTED },
    });
    const lines = fittedTable(record, NOW_MS, 20);
    expect(lines.length).toBeLessThanOrEqual(20);
    const shown = lines.join('\n');
    expect(shown).toContain('> restore-redis-data');
    expect(shown).toMatch(/infrastructure .* \+ \d steps/);
    expect(shown).toMatch(/to come: .*traffic/);
    expect(shown).toContain('RTO clock');
    expect(shown).not.toContain('check-backup');
    expect(fittedTable(record, NOW_MS, 60).join('\n')).toContain('check-backup');
    expect(fittedTable(record, NOW_MS, 5)).toHaveLength(5);
  });

  test('breaks what a person must read between words', () => {
    const hint = '    hint: Make sure by hand that it cannot write, then say so.';
    const lines = wrap(hint, 30);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(30);
    expect(lines.map((line) => line.trim()).join(' ')).toBe(hint.trim());
    expect(lines.every((line) => line.startsWith('    '))).toBe(true);
  });
});

test('the result of a run is one line of JSON', () => {
  const line = jsonResultLine(runOf());
  expect(line).not.toContain('\n');
  expect(JSON.parse(line)).toMatchObject({ version: 1, type: 'result', run: 'rec-1' });
});
