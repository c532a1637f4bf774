import { describe, expect, test } from 'vitest';
import { examineConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { NoticeEvent, Severity } from '../../domain/notice.ts';
import { routeNotice } from '../../domain/route-notice.ts';
import { noticesOf } from '../../domain/run-notices.ts';
import type { RunRecord } from '../../domain/run.ts';
import { acknowledgeObjection } from '../../domain/tell.ts';
import { runRecord } from '../harness/run-record.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const ids = (record: RunRecord, over = false): string[] => noticesOf(record, over).map(({ id }) => id);
const { outcome: _none, ...running } = runRecord();

describe('of a run people are told', () => {
  test('that it was declared, what it waits for, what was used of the RTO, and how it ended', () => {
    const record = runRecord({
      outcome: 'RECOVERED',
      waits: [
        { for: 'start-redis: retry or abort', from: at(1), until: at(9) },
        { for: 'switch-traffic: 2 approvals', from: at(10), kind: 'approval' } as never,
      ],
      alarms: [
        { at: at(2), text: '50% of the RTO of 15 min 00 s is used' },
        { at: at(3), text: 'phase redis overran its budget of 1.0 s' },
        { at: at(4), text: 'RTO of 15 min 00 s breached' },
        { at: at(5), text: 'escalated: something that is told otherwise' },
      ],
      decisions: [{ kind: 'retry', step: 'start-redis', actor: 'ann', reason: 'disk mended', at: at(8) }],
    });
    const told = noticesOf(record, true);
    expect(told.map(({ id, notice }) => `${id} ${notice.event} ${notice.severity}`)).toEqual([
      'declared declared warning',
      'wait-1 decision-wanted critical',
      'wait-1-over wait-over info',
      'wait-2 approval-wanted error',
      'rto-50 rto-50 info',
      'phase-redis phase-overrun warning',
      'rto-100 rto-100 critical',
      'outcome outcome info',
    ]);
    // Whoever is woken by one of them reads what to type, and where it must be acknowledged how.
    for (const { notice } of told.filter(
      ({ id }) => /^(wait-[12]|rto|phase)/.test(id) && !id.endsWith('over'),
    ))
      expect(notice.lines.join('\n'), notice.event).toContain('tyk-dr status rec-20260101-000000-0001');
    for (const { notice } of told.filter(({ notice: { severity } }) =>
      ['error', 'critical'].includes(severity),
    ))
      expect(notice.lines.join('\n'), notice.event).toContain('tyk-dr ack rec-20260101-000000-0001');
    expect(told[4]!.notice.lines[0]).toBe('it waits: switch-traffic: 2 approvals');
    expect(told[2]!.notice.lines).toContain('retry start-redis, by ann: disk mended');
    // What was opened is closed at the latest with a good end.
    const opened = told.flatMap(({ notice }) => notice.opens ?? []);
    expect(told.at(-1)!.notice.closes).toEqual(opened);
    expect(new Set(opened).size).toBe(4);
  });

  test('nothing twice: what has been told keeps its id while the record grows', () => {
    const before = ids(running);
    const waits = [{ for: 'x: retry', from: at(1) }];
    const waiting = ids({ ...running, waits });
    const decided = ids({ ...running, waits: [{ ...waits[0]!, until: at(2) }] });
    expect(waiting).toEqual([...before, 'wait-1']);
    expect(decided).toEqual([...before, 'wait-1', 'wait-1-over']);
  });

  test('no outcome before it is the last word: the close can still lower it', () => {
    expect(ids(runRecord({ outcome: 'RECOVERED' }))).not.toContain('outcome');
  });

  test('a bad end stays an open incident, for which somebody has to do something', () => {
    const { notice } = noticesOf(runRecord({ outcome: 'STUCK' }), true).at(-1)!;
    expect(notice).toMatchObject({
      severity: 'critical',
      opens: 'tyk-dr/acme/rec-20260101-000000-0001',
      closes: [],
    });
  });

  test('of a worker that is missed, and that it is back, once', () => {
    const step = {
      id: 'start-redis',
      phase: 'redis',
      state: 'running',
      calls: 3,
      queue: 'tyk-dr.dr',
    } as const;
    const missed = noticesOf({ ...running, steps: [{ ...step, awaySince: at(1) }] }, false).at(-1)!;
    expect(missed.notice.title).toContain('no worker answers on tyk-dr.dr');
    const back = noticesOf({ ...running, steps: [{ ...step, cameBackAt: at(3) }] }, false);
    expect(back.map(({ id }) => id).slice(-2)).toEqual([
      'worker-missing-start-redis',
      'worker-back-start-redis',
    ]);
    expect(back.at(-1)!.notice.closes).toEqual([missed.notice.opens]);
  });
});

/** The example with what it shows in a comment, and more of it. */
const NOTIFY = EXAMPLE.replaceAll(/^ {4}# (?=notify:| {2})/gm, '    ');

function declared(change: (text: string) => string = (text) => text) {
  const { config, problems } = examineConfig(change(NOTIFY));
  return {
    deployment: config?.deployments['payments'],
    problems: problems.map(({ field, message }) => `${field}: ${message}`),
  };
}

describe('routes', () => {
  const { deployment, problems } = declared();
  const route = (event: NoticeEvent, severity: Severity, level = 1, closes?: string[]) =>
    routeNotice(
      deployment!,
      {
        event,
        severity,
        deployment: 'payments',
        at: at(0),
        title: 't',
        lines: [],
        about: 'x',
        ...(closes ? { closes } : {}),
      },
      level,
    );

  test('as the example has them, are sound', () => expect(problems).toEqual([]));

  test('lead by severity, each channel once, and by level to people', () => {
    expect(route('rto-50', 'info')).toEqual({
      targets: [{ channel: 'chat' }, { channel: 'mail' }],
      people: [],
    });
    expect(route('decision-wanted', 'critical')).toEqual({
      targets: [
        { channel: 'chat' },
        { channel: 'mail' },
        { channel: 'pager' },
        { channel: 'mail', to: ['ann@example.org'] },
      ],
      people: ['Ann Example (incident commander)'],
      next: { level: 2, afterMs: 300_000 },
    });
    const second = route('not-acknowledged', 'critical', 2);
    expect(second.targets).toContainEqual({ channel: 'mail', to: ['bob@example.org'] });
    expect(second.people).toEqual(['Bob Example (head of platform)']);
    expect(second.next).toBeUndefined();
  });

  test('an incident is closed at the pager, wherever the news of it goes; a good end asks nobody', () => {
    const good = route('outcome', 'info', 1, ['k']);
    expect(good.targets).toContainEqual({ channel: 'pager', closesOnly: true });
    expect(good.next).toBeUndefined();
    expect(route('outcome', 'critical').next).toMatchObject({ level: 2 });
  });

  test.each([
    [
      'a channel that is not declared',
      'channels: [pager]',
      'channels: [piger]',
      /routes.*no channel 'piger'; expected one of chat, pager, mail/,
    ],
    [
      'an address of a chat in plain text',
      'file:/etc/tyk-dr/secrets/slack-url',
      'https://hooks.example.org/x',
      /url: .*expected a reference/,
    ],
    ['an unknown severity', 'severity: error', 'severity: grave', /severity/],
    ['no route', /routes:\n.*\n.*\n/, 'routes: []\n', /routes/],
    [
      'a second level that nothing leads to',
      ', level: 2, email: bob@example.org',
      ', level: 2',
      /nothing leads to Bob Example/,
    ],
    ['the form of earlier days', 'escalateAfter: 5m', 'webhooks: []', /webhooks/],
  ])('%s is refused', (_what, from, to, said) => {
    const found = declared((text) => text.replace(from, to)).problems;
    expect(found.join('\n')).toMatch(said);
  });
});

test.each([
  undefined,
  null,
  {},
  { actor: 7 },
  { actor: ' ' },
  { actor: 'a'.repeat(101) },
  { actor: 'a\u0007' },
])('nobody acknowledges as %j', (args) => expect(acknowledgeObjection(args)?.code).toBe('BAD_ARGUMENT'));

describe('of a drill people are told that it is one', () => {
  const drill = {
    type: 'full',
    scenario: 'infrastructure',
    end: 'teardown',
    limitMs: 1,
    participants: [],
  } as const;
  const troubled = {
    waits: [{ for: 'claim-target: an approval', from: at(10), kind: 'approval' } as never],
    alarms: [{ at: at(4), text: 'RTO of 15 min 00 s breached' }],
    outcome: 'FAILED_UNDONE' as const,
  };

  test('in every title, and nobody is woken but for what they must decide', () => {
    const told = noticesOf(runRecord({ ...troubled, drill }), true);
    for (const { notice } of told) {
      expect(notice.title).toMatch(/^tyk-dr: DRILL: /);
      expect(notice.lines[0]).toMatch(/^A rehearsal: primary serves as before/);
    }
    expect(
      told.map(({ id, notice }) => `${id} ${notice.severity} ${notice.opens === undefined ? '' : 'opens'}`),
    ).toEqual(['declared warning ', 'wait-1 error opens', 'rto-100 warning ', 'outcome warning ']);
  });

  test('unless it has found the live site changed: that is an emergency', () => {
    const untouched = { verdict: 'fail', looks: [] } as const;
    const last = noticesOf(runRecord({ ...troubled, drill: { ...drill, untouched } }), true).at(-1)!;
    expect(last.notice).toMatchObject({ severity: 'critical', opens: expect.any(String) as string });
    expect(last.notice.title).toMatch(/^tyk-dr: A DRILL FOUND primary CHANGED: /);
  });

  test('also between the disaster of a simulation and the word that it is one', () => {
    const clock = [{ name: 'occurred', at: at(7), source: 'inject-disaster: corruption' }] as const;
    const { outcome: _none, ...open } = runRecord({ drill, clock: [...clock] });
    expect(noticesOf(open, false)[0]!.notice.at).toBe(at(7));
  });
});
