import type { TabletopItem } from '../domain/tabletop.ts';
import type { Phase, Scenario } from '../domain/run.ts';
import type { TabletopFacts } from './tabletop.ts';

/** What a tabletop asks, and what it lets happen: plain data, filled in from the plan by `tabletop.ts`. */

export interface ScriptItem extends Omit<TabletopItem, 'text' | 'ask' | 'expected' | 'who'> {
  /** Events of these scenarios only; all of them where it is absent. */
  readonly scenarios?: readonly Scenario[];
  /** Whether it fits the plan; always where it is absent. */
  readonly fits?: (facts: TabletopFacts) => boolean;
  readonly text: (facts: TabletopFacts) => string;
  readonly ask: string;
  readonly expected: (facts: TabletopFacts) => string;
  /** Who has to be there. */
  readonly who?: (facts: TabletopFacts) => readonly string[];
}

export const SCENARIO_TEXT: Readonly<Record<Scenario, string>> = {
  infrastructure: 'the hosts of FROM have failed; nobody knows when they come back',
  corruption: 'the data of FROM are damaged, and everything that reads them goes wrong',
  network: 'FROM cannot be reached any more; whether it still serves somebody is not known',
  regional: 'the region of FROM is gone, with everything that ran in it',
  'human-error': 'somebody has deleted what they should not have on FROM, and has noticed it',
};

const has =
  (...steps: readonly string[]) =>
  ({ plan }: TabletopFacts): boolean =>
    steps.some((step) => plan.steps.includes(step));
const question = (phase: Phase, id: string) => ({ phase, id, kind: 'question' as const });
const event = (phase: Phase, id: string) => ({ phase, id, kind: 'event' as const });

export const TABLETOP_SCRIPT: readonly ScriptItem[] = [
  {
    ...question('infrastructure', 'who-declares'),
    text: ({ situation }) => `It is 03:10 at night: ${situation}.`,
    ask: 'Who declares the disaster, and who is called first?',
    expected: ({ commander, contacts }) =>
      `${commander.length > 0 ? commander.join(' or ') : 'one person, by name'}; called: ${contacts.join(', ') || 'NOBODY is under contacts'}`,
    hint: 'One person decides, the others advise. Who does it if that person is on a plane?',
    who: ({ commander }) => commander,
  },
  {
    ...question('infrastructure', 'objectives'),
    text: () => 'Management asks on the telephone.',
    ask: 'By when must traffic be served again, and how much data may be lost?',
    expected: ({ rto, rpo }) => `RTO ${rto}, counted from when it occurred; RPO ${rpo}`,
  },
  {
    ...question('infrastructure', 'command'),
    text: () => 'The decision is made.',
    ask: 'What is the command, and from which host is it given?',
    expected: ({ command }) => `${command}, from a host with this tyk-dr.yaml that reaches Temporal`,
    hint: 'Where does the configuration lie, if the usual host is gone as well?',
  },
  {
    ...question('infrastructure', 'key'),
    text: ({ plan }) => `The backup sets are sealed, and ${plan.from} is gone.`,
    ask: 'Where is the key that opens them, and who can reach it at this hour?',
    expected: ({ identity, recipients }) =>
      `${identity} on the workers; ${recipients} recipients, one of them offline: where is that one?`,
    hint: 'tyk-dr doctor (key-copies) says whether the key lies only at the site that it protects.',
  },
  {
    ...question('infrastructure', 'fence'),
    fits: has('fence-source'),
    text: ({ plan }) => `Before ${plan.to} may write, ${plan.from} must not be able to any more.`,
    ask: 'How do you know that, and who may vouch for it?',
    expected: ({ proofOf }) => `${proofOf('fence-source')}; a person who vouches leaves an exception`,
  },
  {
    ...event('infrastructure', 'source-silent'),
    scenarios: ['infrastructure', 'network', 'regional'],
    fits: has('fence-source'),
    text: ({ plan }) => `The worker of ${plan.from} does not answer: it cannot be fenced.`,
    ask: 'The run waits for a decision. What do you look at, and what do you type?',
    expected: () =>
      'whether it is really down (power, hypervisor, switch), then tyk-dr confirm with a reason; it is fenced later, as soon as it answers',
    hint: 'What happens if it is only cut off from us and still serves clients?',
  },
  {
    ...event('infrastructure', 'set-damaged'),
    text: () => 'The newest backup set is damaged: the run refuses it before anything is changed.',
    ask: 'What now, and what does it cost?',
    expected: ({ rpo }) =>
      `tyk-dr backup list, recover again with --backup SET of the newest verified one, or from an off-site copy; what came since is lost, beyond the RPO of ${rpo} perhaps, and somebody has to say so`,
    hint: 'The damaged set is evidence: nobody deletes it.',
  },
  {
    ...event('infrastructure', 'temporal-gone'),
    scenarios: ['regional'],
    text: () => 'Temporal ran in that region too: tyk-dr recover says that it cannot be reached.',
    ask: 'How do you go on without it?',
    expected: ({ runbook }) => `the exported script and page in ${runbook}; then tyk-dr import-run`,
    hint: 'Is there a copy of that folder outside the region, and has anybody ever run the script?',
  },
  {
    ...event('infrastructure', 'when-began'),
    scenarios: ['corruption', 'human-error'],
    text: () => 'Two people say different times at which the damage began, four hours apart.',
    ask: 'Which time do you give, and what follows from it?',
    expected: () =>
      '--occurred with the earlier one, or --backup with a set that is known to be good: a set from after it may hold the damage; --to-time for the database',
  },
  {
    ...event('infrastructure', 'approver-silent'),
    fits: ({ plan }) => (plan.approvals ?? []).length > 0,
    text: () => 'The run waits for an approval, and the approver does not answer the telephone.',
    ask: 'Who else may approve, and what happens when nobody does?',
    expected: ({ approvals }) => approvals,
    who: ({ approvers }) => approvers,
  },
  {
    ...question('redis', 'redis-proof'),
    fits: has('restore-redis-data'),
    text: () => 'Redis is restored from the set.',
    ask: 'How do you know that all of it came back, and what is not in it?',
    expected: ({ proofOf }) =>
      `${proofOf('prove-redis')}; what was written after the set's point is lost: keys, quotas, sessions`,
  },
  {
    ...question('database', 'database-fails'),
    fits: has('restore-database-data'),
    text: () => 'The restore of the database fails for good: no room on the disk.',
    ask: 'What may be decided, by whom, and with which command?',
    expected: ({ choicesOf }) => `${choicesOf('restore-database-data')}; free space, then tyk-dr retry`,
    hint: 'Data are never skipped.',
  },
  {
    ...event('database', 'second-site'),
    scenarios: ['infrastructure', 'regional'],
    fits: has('restore-database-data'),
    text: ({ plan }) => `In the middle of the restore ${plan.to} loses a disk.`,
    ask: 'Where do you recover to now, and who decides it?',
    expected: ({ sites }) =>
      `tyk-dr abort, then another site (there are ${sites.join(', ')}); the clock goes on; the set is untouched`,
  },
  {
    ...question('dashboard', 'dashboard-proof'),
    fits: has('start-dashboard'),
    text: () => 'The Dashboard is up.',
    ask: 'Why must it be proven not to be empty before any Gateway starts?',
    expected: () => 'a Gateway that reloads against an empty Dashboard unloads every API',
  },
  {
    ...question('gateways', 'gateways-proof'),
    fits: has('start-gateways'),
    text: () => 'The Gateways answer /hello with pass.',
    ask: 'Is that enough? What else is looked at?',
    expected: ({ proofOf }) => proofOf('prove-gateways'),
  },
  {
    ...event('verification', 'rto-80'),
    text: ({ rto }) => `80 % of the RTO of ${rto} are used, and one API still answers 502.`,
    ask: 'Do you move traffic, wait, or skip the proof? Who is told what?',
    expected: () =>
      'the commander decides, with a reason; a skipped proof ends in RECOVERED_WITH_EXCEPTIONS; management hears of the breach before it comes',
    who: ({ commander }) => commander,
  },
  {
    ...event('verification', 'helping-hand'),
    scenarios: ['human-error'],
    text: () => 'Whoever made the mistake is mending it by hand, on the target, without telling anybody.',
    ask: 'How do you notice, and what do you do?',
    expected: () => 'one commander; tyk-dr pause, send them away, look at what was changed, tyk-dr resume',
  },
  {
    ...event('traffic', 'old-site-returns'),
    scenarios: ['network', 'infrastructure'],
    fits: has('switch-traffic'),
    text: ({ plan }) => `${plan.from} can be reached again, and clients write to it.`,
    ask: 'Which site counts, and what becomes of what was written there?',
    expected: ({ plan }) =>
      `${plan.to}; the late fence stops ${plan.from}; its archive cannot write into the new one; what clients wrote there is lost and has to be named; later tyk-dr unfence`,
  },
  {
    ...question('traffic', 'who-tells'),
    text: () => 'Clients are served again.',
    ask: 'Who tells clients, management and the regulator, on which way, and within which time?',
    expected: ({ speakers, contacts }) =>
      `${speakers.join(' or ') || 'NOBODY has a role for it'}; people: ${contacts.join(', ') || 'none declared'}`,
    who: ({ speakers }) => speakers,
  },
  {
    ...question('close-out', 'what-is-kept'),
    text: () => 'It is over.',
    ask: 'What is kept for the auditor, and what is done by whom in the next days?',
    expected: () =>
      'tyk-dr evidence export, report --post-incident, lesson add with an owner, findings assign; the old site is protected or unfenced; a new backup',
  },
];
