import { achievedRtoMs, rtoBasis, waitedTexts } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import { rangeText, rpoRange } from '../domain/loss.ts';
import { checksOf } from '../domain/run-checks.ts';
import type { RunRecord } from '../domain/run.ts';
import { foundText, VERDICT_WORD } from './criteria.ts';
import { drillSections } from './drill.ts';
import { markdownOf, type Section } from './document.ts';
import { inOrder, logOfRecord } from './log.ts';
import { lostItemLines, lostItemsSummary } from './lost-items.ts';

/** The report after an incident: what the record knows is filled in, what only people know is asked. Pure. */

export function postIncident(record: RunRecord): string {
  const { objectives, clock, outcome, scenario, reason, actor, witness, criteria = [] } = record;
  const achieved = achievedRtoMs(clock);
  const basis = rtoBasis(clock);
  const lost = rpoRange(record.losses);
  const took = achieved === undefined ? 'not reached' : formatDuration(achieved);
  return markdownOf({
    title: `${record.drill ? 'Report after a drill' : 'Post-incident report'}: ${record.deployment}, ${basis.at.slice(0, 10)}`,
    lead: [
      `Run ${record.run}: recovery of ${record.component ?? 'everything'} from ${record.from} to ${record.to}, ended ${outcome ?? 'not yet'}. What is marked TO FILL IN only people know.`,
    ],
    sections: [
      {
        title: 'Summary',
        table: {
          head: ['what', 'figure'],
          rows: [
            ['declared by', `${actor}: ${reason}`],
            ['scenario', scenario],
            [`counted from`, `${basis.name} at ${basis.at} (${basis.source})`],
            ['recovery time', `${took}, of ${formatDuration(objectives.rtoMs)}`],
            ['of it waiting for people', waited(record)],
            [
              'data loss',
              `${lost ? rangeText(lost) : 'not measured'}; the RPO is ${formatDuration(objectives.rpoMs)}`,
            ],
            ['what was lost, by name', lostItemsSummary(record.lostItems)],
            [
              'requests that failed',
              witness ? `${witness.failed} of ${witness.requests}` : 'not measured: no witness',
            ],
            ['restored from', record.set ? `set ${record.set.set}, taken ${record.set.createdAt}` : 'no set'],
          ],
        },
      },
      ...drillSections(record),
      { title: 'What was lost, by name', list: lostItemLines(record).map((line) => line.trim()) },
      {
        title: 'Validation criteria',
        text: criteria.length === 0 ? ['None were fixed before this run.'] : [],
        table: {
          head: ['criterion', 'verdict', 'found', 'what must hold'],
          rows: criteria.map((each) => [each.id, VERDICT_WORD[each.verdict], foundText(each), each.limit]),
        },
      },
      {
        title: 'Impact',
        text: ['TO FILL IN: which clients, which business, since when, until when; who was told.'],
      },
      {
        title: 'Timeline',
        table: {
          head: ['at (UTC)', 'what'],
          rows: inOrder(logOfRecord(record, true)).map(({ at, step, text }) => [
            at,
            step === undefined || text.startsWith(step) ? text : `${step}: ${text}`,
          ]),
        },
      },
      {
        title: 'Cause',
        text: ['TO FILL IN: what failed, why, and why it was not noticed or stopped before.'],
      },
      findings(record),
      people(record),
      { title: 'What went well', text: ['TO FILL IN'] },
      { title: 'What did not', text: ['TO FILL IN'] },
      {
        title: 'Actions',
        text: [
          `TO FILL IN, each with an owner and a day: tyk-dr findings assign ${record.deployment} FINDING, tyk-dr lesson add ${record.run}.`,
        ],
      },
    ],
    foot: `Filled in by tyk-dr from the record of ${record.run}; plan ${record.planDigest.slice(0, 16)}.`,
  });
}

function waited(record: RunRecord): string {
  return waitedTexts(record, Date.parse(record.endedAt ?? new Date().toISOString())).join(', ') || 'no time';
}

function findings(record: RunRecord): Section {
  const own = checksOf(record).filter(({ verdict }) => verdict !== 'pass');
  return {
    title: `What the run has found: ${own.length}`,
    table: {
      head: ['severity', 'check', 'what'],
      rows: own.map(({ severity, check, text }) => [severity, check, text]),
    },
  };
}

function people({ decisions, approvals = [], acknowledgements = [], actor }: RunRecord): Section {
  return {
    title: 'Who took part',
    list: [
      `${actor} declared it`,
      ...decisions.map(
        ({ kind, step, actor: who, reason, at }) => `${at}: ${who} decided ${kind} ${step}: ${reason}`,
      ),
      ...approvals.map(
        ({ step, actor: who, at, identity }) => `${at}: ${who} approved ${step} (${identity})`,
      ),
      ...acknowledgements.map(({ actor: who, at }) => `${at}: ${who} acknowledged`),
      'TO FILL IN: who else',
    ],
  };
}
