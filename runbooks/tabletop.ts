import { formatDuration } from '../domain/duration.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { PHASES } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import type { TabletopItem } from '../domain/tabletop.ts';
import { choicesOf } from './choices.ts';
import { RECOVER_STEPS } from './recover.ts';
import { SCENARIO_TEXT, TABLETOP_SCRIPT, type ScriptItem } from './tabletop-script.ts';

/** Makes the tabletop of a plan: the questions and events that fit it, in the order of its phases. Pure. */

/** What the configuration adds to the plan. Names and references, no secret. */
export interface TabletopSetting {
  /** By role. */
  readonly roles: Readonly<
    Record<string, { readonly people: readonly string[]; readonly deputies: readonly string[] }>
  >;
  readonly contacts: readonly string[];
  readonly approvers: readonly { readonly name: string; readonly roles: readonly string[] }[];
  /** The reference of the age identity. */
  readonly identity: string;
  readonly recipients: number;
  /** Where the exported runbook lies. */
  readonly runbook: string;
  readonly sites: readonly string[];
}

export interface TabletopFacts {
  readonly plan: RecoverPlan;
  readonly situation: string;
  readonly rto: string;
  readonly rpo: string;
  readonly command: string;
  readonly commander: readonly string[];
  readonly speakers: readonly string[];
  readonly contacts: readonly string[];
  readonly approvers: readonly string[];
  readonly approvals: string;
  readonly identity: string;
  readonly recipients: number;
  readonly runbook: string;
  readonly sites: readonly string[];
  proofOf(step: string): string;
  choicesOf(step: string): string;
}

/** @param own further events, each asked after ours of its phase */
export function tabletopItems(
  plan: RecoverPlan,
  setting: TabletopSetting,
  own: readonly TabletopItem[] = [],
): TabletopItem[] {
  const facts = factsOf(plan, setting);
  const inPlan = new Set(
    RECOVER_STEPS.filter(({ id }) => plan.steps.includes(id)).map(({ phase }) => phase as string),
  );
  const fitting = TABLETOP_SCRIPT.filter(
    ({ phase, scenarios, fits }) =>
      (inPlan.has(phase) || phase === 'traffic' || phase === 'close-out') &&
      (scenarios?.includes(plan.scenario) ?? true) &&
      (fits?.(facts) ?? true),
  ).map((item) => filledIn(item, facts));
  return PHASES.flatMap((phase) => [...fitting, ...own].filter((item) => item.phase === phase));
}

function filledIn(item: ScriptItem, facts: TabletopFacts): TabletopItem {
  const who = item.who?.(facts) ?? [];
  return {
    ...{ id: item.id, phase: item.phase, kind: item.kind, ask: item.ask },
    ...{ text: item.text(facts), expected: item.expected(facts) },
    ...(item.hint === undefined ? {} : { hint: item.hint }),
    ...(who.length > 0 ? { who } : {}),
  };
}

function factsOf(plan: RecoverPlan, setting: TabletopSetting): TabletopFacts {
  const { roles, contacts, approvers, identity, recipients, runbook, sites } = setting;
  const policies = plan.approvals ?? [];
  const may = approvers.filter((who) =>
    policies.some(({ roles: own }) => own.length === 0 || own.some((role) => who.roles.includes(role))),
  );
  const steps: readonly Step[] = RECOVER_STEPS;
  const step = (id: string): Step | undefined => steps.find((each) => each.id === id);
  const damaged = plan.scenario === 'corruption' || plan.scenario === 'human-error';
  return {
    ...{ plan, contacts, identity, recipients, runbook, sites },
    situation: SCENARIO_TEXT[plan.scenario].replace('FROM', plan.from),
    rto: formatDuration(plan.objectives.rtoMs),
    rpo: formatDuration(plan.objectives.rpoMs),
    command: [
      `tyk-dr recover ${plan.deployment} --to ${plan.to}`,
      ...(plan.component === undefined ? [] : [`--component ${plan.component}`]),
      ...(plan.inPlace && plan.component === undefined ? ['--in-place'] : []),
      ...(plan.scenario === 'infrastructure' ? [] : [`--scenario ${plan.scenario}`]),
      ...(damaged ? ['--occurred TIME'] : []),
      `--reason 'why'`,
    ].join(' '),
    commander: peopleOf(roles, /command|lead|manager/) ?? peopleOf(roles, /./) ?? [],
    speakers: peopleOf(roles, /commun|speak|press|client/) ?? [],
    approvers: may.map(({ name }) => name),
    approvals: policies
      .map(
        ({ step: before, count, roles: own, timeoutMs, onTimeout }) =>
          `before ${before}: ${count} of ${may.map(({ name }) => name).join(', ') || 'nobody'}${own.length > 0 ? ` (${own.join(' or ')})` : ''} by tyk-dr approve; after ${formatDuration(timeoutMs)} ${onTimeout === 'abort' ? 'the run is given up' : 'the alarm is raised, and it waits on'}`,
      )
      .join('; '),
    proofOf: (id) => step(id)?.proof ?? 'its proof',
    choicesOf: (id) => {
      const found = step(id);
      return found ? choicesOf(found, 'BUG', plan).join(', ') : '';
    },
  };
}

/** Of the first role with such a name. */
function peopleOf(roles: TabletopSetting['roles'], name: RegExp): string[] | undefined {
  const found = Object.entries(roles).find(([role]) => name.test(role));
  return found && [...found[1].people, ...found[1].deputies];
}
