import { PARTS, type PackFacts, type PartId } from './control-parts.ts';

/**
 * Which part of an evidence pack answers which requirement, in our own words. An aid for whoever audits: it says what
 * is there, not that it is enough. Pure.
 */

interface Control {
  readonly source: string;
  /** Where it stands in the source. */
  readonly clause: string;
  /** What is asked, in our words. */
  readonly asks: string;
  readonly parts: readonly PartId[];
  /** What it asks for besides, and no pack can hold. */
  readonly elsewhere?: string;
}

const FFIEC = 'FFIEC BCM booklet (2019)';
const DORA = 'DORA, RTS (EU) 2024/1774';
const SOC2 = 'SOC 2 (2017 criteria)';
const ISO = 'ISO 22301:2019';

export const CONTROLS: readonly Control[] = [
  {
    ...{ source: FFIEC, clause: 'Risk management: business impact analysis' },
    asks: 'recovery objectives are stated and are what a test is held against',
    parts: ['recoveryTime', 'dataLoss'],
    elsewhere: 'the business impact analysis that the objectives come from',
  },
  {
    ...{ source: FFIEC, clause: 'Continuity strategies: data backup and replication' },
    asks: 'backups are whole, protected, and shown to be restorable',
    parts: ['backupIntegrity', 'restoredData'],
  },
  {
    ...{ source: FFIEC, clause: 'Business continuity plan' },
    asks: 'procedures, roles and communication are laid down and followed',
    parts: ['plan', 'approvals', 'communication'],
  },
  {
    ...{ source: FFIEC, clause: 'Exercises and tests: plan, scenario, objectives' },
    asks: 'a test has a plan, a scenario and criteria that were fixed beforehand',
    parts: ['plan', 'scenario', 'criteria', 'recoveryTime'],
  },
  {
    ...{ source: FFIEC, clause: 'Exercises and tests: execution and evaluation' },
    asks: 'results are recorded against objectives, with what deviated',
    parts: ['steps', 'history', 'restoredData', 'notMeasured', 'decisions', 'exercise', 'untouched'],
  },
  {
    ...{ source: FFIEC, clause: 'Maintenance and improvement' },
    asks: 'gaps are tracked to their end and the plan learns from tests',
    parts: ['findings', 'lessons'],
  },
  {
    ...{ source: FFIEC, clause: 'Board reporting' },
    asks: 'management hears of results and of what remains open',
    parts: ['findings'],
    elsewhere: 'the signed quarterly review (tyk-dr review), and the minutes of the board',
  },
  {
    ...{ source: DORA, clause: 'art. 25(1)' },
    asks: 'tests take the impact analysis and the risk assessment into account',
    parts: ['recoveryTime', 'dataLoss', 'scenario'],
    elsewhere: 'the impact analysis and the risk assessment themselves',
  },
  {
    ...{ source: DORA, clause: 'art. 25(2)(a)' },
    asks: 'tests simulate severe but plausible disruptions',
    parts: ['scenario', 'steps'],
    elsewhere: 'the packs of the other scenarios',
  },
  {
    ...{ source: DORA, clause: 'art. 25(2)(b)' },
    asks: 'services of third parties are part of the test where they apply',
    parts: ['restoredData'],
    elsewhere: 'tests of the providers: hosting, DNS, upstream services',
  },
  {
    ...{ source: DORA, clause: 'art. 25(2)(c)' },
    asks: 'the switch from primary systems to redundant capacity and backups is tested, and works',
    parts: ['switchover', 'backupIntegrity', 'clients', 'performance'],
    elsewhere: 'working from the redundant site for a sufficient time, and the way back',
  },
  {
    ...{ source: DORA, clause: 'art. 25(2)(d)' },
    asks: 'assumptions are challenged, governance and crisis communication included',
    parts: ['approvals', 'communication', 'notMeasured', 'negativeControl'],
  },
  {
    ...{ source: DORA, clause: 'art. 25(2)(e)' },
    asks: 'people, providers and systems are shown to respond adequately',
    parts: ['decisions', 'approvals', 'steps', 'restoredData', 'security', 'exercise'],
    elsewhere: 'who has practised which role, over all drills (tyk-dr review)',
  },
  {
    ...{ source: DORA, clause: 'art. 25, documented results' },
    asks: 'results are documented, deficiencies analysed, addressed and reported to management',
    parts: ['steps', 'notMeasured', 'findings', 'lessons'],
    elsewhere: 'the report to the management body',
  },
  {
    ...{ source: DORA, clause: 'art. 26(1): activation, actions, objectives' },
    asks: 'plans say when they are activated, what is done, and by when it must be back',
    parts: ['scenario', 'plan', 'recoveryTime', 'dataLoss'],
  },
  {
    ...{ source: DORA, clause: 'art. 26(1): documented, accessible, roles' },
    asks: 'plans are written down, at hand in an emergency, with roles',
    parts: ['plan', 'configuration', 'approvals'],
    elsewhere: 'the handbook (tyk-dr handbook) and the exported runbook beside the sets',
  },
  {
    ...{ source: DORA, clause: 'art. 26(2)' },
    asks: 'the plan covers the scenarios of severe disruption',
    parts: ['scenario'],
    elsewhere: 'scenarios outside Tyk, and the packs of other runs',
  },
  {
    ...{ source: DORA, clause: 'art. 26(3) and (4)' },
    asks: 'there are other ways where the first cannot be taken, also when a provider fails',
    parts: ['switchover', 'decisions'],
    elsewhere: 'the exported script, which works without Temporal; measures against failing providers',
  },
  {
    ...{ source: SOC2, clause: 'A1.3: recovery plan procedures are tested' },
    asks: 'recovery is tested against objectives, and the test is evaluated',
    parts: ['plan', 'steps', 'criteria', 'recoveryTime', 'dataLoss', 'restoredData', 'findings'],
  },
  {
    ...{ source: SOC2, clause: 'A1.3: integrity and completeness of backups' },
    asks: 'backup data are tested for integrity and completeness',
    parts: ['backupIntegrity', 'restoredData'],
  },
  {
    ...{ source: ISO, clause: '8.5 Exercise programme' },
    asks: 'exercises have scenarios and aims, produce reports, and lead to improvement',
    parts: ['exercise', 'scenario', 'plan', 'steps', 'restoredData', 'notMeasured', 'findings', 'lessons'],
    elsewhere: 'the programme itself: planned intervals (tyk-dr schedule)',
  },
  {
    ...{ source: ISO, clause: '8.6 Evaluation of documentation and capabilities' },
    asks: 'what was documented and what can be done are evaluated after exercises and incidents',
    parts: ['criteria', 'recoveryTime', 'dataLoss', 'performance', 'security', 'decisions', 'lessons'],
    elsewhere: 'the evaluation of partners and suppliers',
  },
];

export interface ControlAnswer {
  readonly source: string;
  readonly clause: string;
  readonly asks: string;
  /** `absent`: nothing of what the pack could hold for it is there. */
  readonly state: 'present' | 'partly' | 'absent';
  readonly present: readonly { readonly what: string; readonly where: string }[];
  readonly missing: readonly { readonly what: string; readonly why: string }[];
  readonly elsewhere?: string;
}

/** Computed from one pack: what is there, and what is not and why. */
export function answerControls(facts: PackFacts): ControlAnswer[] {
  return CONTROLS.map(({ source, clause, asks, parts, elsewhere }) => {
    const looked = parts.map((id) => ({ ...PARTS[id], why: PARTS[id].lacks(facts) }));
    const present = looked.filter(({ why }) => why === undefined);
    const missing = looked.filter(({ why }) => why !== undefined);
    return {
      ...{ source, clause, asks },
      state: missing.length === 0 ? 'present' : present.length === 0 ? 'absent' : 'partly',
      present: present.map(({ what, where }) => ({ what, where })),
      missing: missing.map(({ what, why }) => ({ what, why: why! })),
      ...(elsewhere === undefined ? {} : { elsewhere }),
    };
  });
}
