import { leaksVerdict, plantText, plantVerdict, untouchedVerdict } from '../domain/drill-checks.ts';
import type { DrillRecord, Participant } from '../domain/drill.ts';
import { formatDuration } from '../domain/duration.ts';
import { endOf } from '../domain/findings.ts';
import type { RunRecord } from '../domain/run.ts';
import { columns } from './columns.ts';
import type { Section } from './document.ts';
import { escape, row, table } from './html-parts.ts';

/** What a run shows for being a drill: whom it was for, that production was left alone, that nothing of it is left. Pure. */

const WORD = { pass: 'yes', fail: 'NO', 'not-measured': 'NOT MEASURED' } as const;

/** Empty where the run is no drill. */
export function drillSections({ drill }: Pick<RunRecord, 'drill'>): Section[] {
  return drill ? [about(drill), untouched(drill), leaks(drill)] : [];
}

/** As blocks of a text report. */
export function drillLines(record: Pick<RunRecord, 'drill'>): string[] {
  return drillSections(record).flatMap(({ title, text = [], list = [], table: cells }) => [
    title.toUpperCase(),
    ...text.map((line) => `  ${line}`),
    ...list.map((line) => `  - ${line}`),
    ...(cells && cells.rows.length > 0
      ? columns([...(cells.head.some(Boolean) ? [cells.head] : []), ...cells.rows], '  ')
      : []),
    '',
  ]);
}

export function drillHtml(record: Pick<RunRecord, 'drill'>): string {
  return drillSections(record)
    .map(({ title, text = [], list = [], table: cells }) =>
      [
        `<section><h2>${escape(title)}</h2>`,
        ...text.map((line) => `<p>${escape(line)}</p>`),
        list.length > 0 ? `<ul>${list.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>` : '',
        cells && cells.rows.length > 0
          ? table(
              cells.head,
              cells.rows.map((each) => row(each, each.at(-1) === 'fail' ? 'fail' : '')),
            )
          : '',
        '</section>',
      ].join(''),
    )
    .join('\n');
}

/** `component drill of redis`, `recovery`: what kind of run it was. */
export function kindOfRun({ drill, runbook, mode }: Pick<RunRecord, 'drill' | 'runbook' | 'mode'>): string {
  if (!drill)
    return { recover: 'recovery', failover: `${mode} failover`, replicate: 'standby made', drill: 'drill' }[
      runbook
    ];
  return `${drill.type} drill${drill.component === undefined ? '' : ` of ${drill.component}`}`;
}

/** Drills among the runs, as a table of the quarterly review. */
export function drillTable(records: readonly RunRecord[]): NonNullable<Section['table']> {
  return {
    head: [
      'ended',
      'run',
      'kind',
      'scenario',
      'outcome',
      'planted fault',
      'production untouched',
      'left nothing',
    ],
    rows: records.flatMap((record) => {
      const { drill } = record;
      if (!drill) return [];
      return [
        [
          ...[endOf(record), record.run, kindOfRun(record), drill.scenario, record.outcome ?? 'no outcome'],
          ...[plantCell(drill), WORD[untouchedVerdict(drill.untouched)], WORD[leaksVerdict(drill.leaks)]],
        ],
      ];
    }),
  };
}

function plantCell(drill: DrillRecord): string {
  const verdict = plantVerdict(drill);
  if (verdict === undefined) return 'none';
  const said = { pass: 'noticed', fail: 'NOT NOTICED', 'not-measured': 'NOT KNOWN whether noticed' }[verdict];
  return `${drill.plant}: ${said}`;
}

function about(drill: DrillRecord): Section {
  const {
    type,
    scenario,
    component,
    scheduled,
    participants,
    present,
    plant,
    plantNoticed,
    end,
    copyBuiltMs,
  } = drill;
  const verdict = plantVerdict(drill);
  const rows: [string, string][] = [
    ['type', type],
    ['scenario', scenario],
    ...(component === undefined ? [] : [['component', component] as [string, string]]),
    ['started by', scheduled ? `schedule ${scheduled.schedule}, due ${scheduled.dueAt}` : 'a person'],
    ['ends in', end === 'teardown' ? 'teardown' : 'PROMOTION of the target, if it passes'],
    ...(copyBuiltMs === undefined
      ? []
      : [['copy built in', formatDuration(copyBuiltMs)] as [string, string]]),
    ['planned participants', peopleText(participants)],
    [
      'took part',
      present === undefined
        ? participants.length === 0
          ? 'nobody was recorded'
          : 'nobody has recorded it: planned only'
        : peopleText(present),
    ],
    [
      'planted fault',
      plant === undefined
        ? 'none'
        : verdict === 'not-measured'
          ? `${plant}: NOT KNOWN whether it was noticed`
          : `${plant}: ${plantText(plantNoticed!)}`,
    ],
  ];
  return {
    title: `Drill: ${type}`,
    text:
      verdict === 'fail'
        ? [`A PLANTED FAULT WAS NOT NOTICED (${plant}): until that is mended, no drill has shown anything.`]
        : plant !== undefined
          ? ['A fault was planted in the target: what went red of it says nothing of production.']
          : [],
    table: { head: ['', ''], rows },
  };
}

function peopleText(people: readonly Participant[]): string {
  return (
    people
      .map(({ role, person, deputy }) => `${person} as ${role}${deputy ? ' (stands in)' : ''}`)
      .join(', ') || 'nobody'
  );
}

function untouched({ untouched: seen }: DrillRecord): Section {
  const looks = seen?.looks ?? [];
  return {
    title: `Production untouched: ${WORD[untouchedVerdict(seen)]}`,
    text:
      looks.length === 0 ? ['Nobody has looked at the live site before and after: nothing is proven.'] : [],
    table: {
      head: ['what', 'before', 'after', 'verdict'],
      rows: looks.map(({ what, before, after, verdict }) => [what, before, after, verdict]),
    },
  };
}

function leaks({ leaks: found }: DrillRecord): Section {
  const verdict = leaksVerdict(found);
  return {
    title: `Everything that the drill made is removed: ${WORD[verdict]}`,
    text: found
      ? [`${found.made} things were made, ${found.left.length} are left.`]
      : ['Nobody has looked for what is left: tyk-dr drill cleanup.'],
    list: found?.left ?? [],
  };
}
