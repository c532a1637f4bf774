import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { parse } from 'yaml';
import { keepPlan, keepRun, repositoryIsHere } from '../adapters/backup/runs.ts';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import type { DrillPlan, Participant } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import {
  configuredParticipants,
  parseParticipants,
  participantOf,
  type Roles,
} from '../domain/participants.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Outcome, Recoverable, RunRecord, Scenario } from '../domain/run.ts';
import {
  gapOf,
  gapsOf,
  type TabletopItem,
  type TabletopRecord,
  type TabletopView,
} from '../domain/tabletop.ts';
import { parseAnswers, parseEvents, type TabletopAnswers } from '../domain/tabletop-file.ts';
import { jsonResultLine } from '../report/json.ts';
import { sheetLines, tabletopText } from '../report/tabletop.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { tabletopItems } from '../runbooks/tabletop.ts';
import { deploymentOf } from './client.ts';
import { exitWithOutcome } from './exit.ts';
import { runId } from './run-id.ts';
import { holdSession, type Session } from './tabletop-session.ts';

/** `tyk-dr drill --type tabletop`: walks people through the plan. It needs neither Temporal nor workers, and does nothing. */

export interface TabletopOptions {
  readonly scenario: Scenario;
  readonly component?: Recoverable;
  readonly from?: string;
  readonly view: TabletopView;
  readonly answers?: string;
  readonly events?: string;
  readonly sheet?: boolean;
  readonly participant?: readonly string[];
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export async function tabletop(
  configPath: string | undefined,
  name: string,
  options: TabletopOptions,
): Promise<void> {
  const deployment = deploymentOf(await loadConfig(configPath), name);
  const { roles, backup } = deployment;
  // Before anybody has come together for it.
  if (!options.sheet && !(await repositoryIsHere(backup)))
    throw new DrError('REPOSITORY_UNREADABLE', {
      path: backup.repository,
      reason: 'it is not on this host; the record of the tabletop is kept in it',
    });
  const plan = planOf(name, deployment, options);
  const items = await itemsOf(name, deployment, plan, options.events);
  if (options.sheet) {
    process.stdout.write(`${sheetLines(items, options.view).join('\n')}\n`);
    return;
  }
  const given = options.participant ?? [];
  const planned = configuredParticipants(roles);
  const startedAt = new Date().toISOString();
  const answers =
    options.answers === undefined
      ? undefined
      : await readAnswers(options.answers, items, given.length === 0 && planned.length > 0);
  const named = given.length > 0 ? namedOnly(parseParticipants(roles, given), given) : [];
  const session = answers
    ? onPaper(items, answers, deployment, given.length > 0 ? parseParticipants(roles, given) : undefined)
    : await holdSession(items, options.view, roles, named);
  const drill: DrillPlan = {
    ...{ type: 'tabletop', scenario: options.scenario, end: 'teardown', limitMs: 0, participants: planned },
    ...(options.component === undefined ? {} : { component: options.component }),
  };
  const record = recordOf({ ...plan, drill }, session, deployment, {
    ...{ options, startedAt: answers?.startedAt ?? startedAt },
    endedAt: answers?.endedAt ?? new Date().toISOString(),
  });
  await keepPlan(backup, record.run, { ...plan, drill });
  await keepRun(backup, record);
  process.stdout.write(`${options.json ? jsonResultLine(record) : tabletopText(record)}\n`);
  process.stderr.write(`kept; see it again with: tyk-dr report ${record.run}\n`);
  exitWithOutcome(record.outcome!);
}

/** Of those that were filled up from the configuration, only the ones whose role was named. */
function namedOnly(all: readonly Participant[], given: readonly string[]): Participant[] {
  const roles = given.map((each) => each.split('=')[0]!.trim());
  return all.filter(({ role }) => roles.includes(role));
}

/** An hour is what it takes until somebody sees that data are damaged. */
const NOTICED_AFTER_MS = 3_600_000;

/** The recovery that would be run; away from a scratch site of drills, to which nobody recovers for good. */
function planOf(
  name: string,
  deployment: Deployment,
  { scenario, component, from }: TabletopOptions,
): RecoverPlan {
  const all = Object.keys(deployment.sites);
  const real = all.length > 2 ? all.filter((site) => site !== deployment.drill?.site) : all;
  const source = from ?? real[0]!;
  const to = component === undefined ? (real.find((site) => site !== source) ?? source) : source;
  return compilePlan(shapeOf(name, deployment), {
    ...{ from: source, to, scenario, backup: 'latest', onFailure: 'ask' },
    ...(component === undefined ? {} : { component }),
    inPlace: to === source,
    occurredAt: new Date(Date.now() - NOTICED_AFTER_MS).toISOString(),
  });
}

async function itemsOf(
  name: string,
  deployment: Deployment,
  plan: RecoverPlan,
  events: string | undefined,
): Promise<TabletopItem[]> {
  const { roles, contacts, approvers = [], backup, sites } = deployment;
  const setting = {
    ...{ roles, approvers, recipients: backup.recipients.length, sites: Object.keys(sites) },
    contacts: contacts.map(({ name: person, phone }) =>
      phone === undefined ? person : `${person} ${phone}`,
    ),
    identity: backup.identity.startsWith('command:') ? 'a command' : backup.identity,
    runbook: `${backup.repository}/${name}/runbook/`,
  };
  const built = tabletopItems(plan, setting);
  if (events === undefined) return built;
  const own = parseEvents(
    await readDocument(events, '--events'),
    built.map(({ id }) => id),
  );
  if (typeof own === 'string') throw badFile('--events', events, own);
  return tabletopItems(plan, setting, own);
}

async function readAnswers(
  file: string,
  items: readonly TabletopItem[],
  needsPresent: boolean,
): Promise<TabletopAnswers> {
  const read = parseAnswers(await readDocument(file, '--answers'));
  if (typeof read === 'string') throw badFile('--answers', file, read);
  const unknown = Object.keys(read.answers).find((id) => !items.some((item) => item.id === id));
  if (unknown !== undefined)
    throw badFile(
      '--answers',
      file,
      `answers.${unknown}: no such question; expected one of ${items.map(({ id }) => id).join(', ')}`,
    );
  if (needsPresent && read.present === undefined)
    throw badFile('--answers', file, 'present: missing; expected who was there, by role; null for nobody');
  if (read.startedAt !== undefined && read.endedAt !== undefined && read.endedAt < read.startedAt)
    throw badFile('--answers', file, `endedAt: it is before startedAt`);
  return read;
}

async function readDocument(file: string, argument: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw badFile(argument, file, `it cannot be read (${error.code})`);
  });
  try {
    return parse(text) as unknown;
  } catch (error) {
    throw badFile(argument, file, (error as Error).message.split('\n')[0]!);
  }
}

const badFile = (argument: string, value: string, problem: string): DrError =>
  new DrError('BAD_ARGUMENT', {
    argument,
    value,
    expected: `YAML or JSON as docs/drills-calendar.md has it: ${problem}`,
  });

interface PaperAnswer {
  readonly answer: string;
  readonly by?: string | undefined;
  readonly seconds?: number | undefined;
  readonly gap?: string | undefined;
}

/** A session that was held without us. What nobody has written down was not answered. */
function onPaper(
  items: readonly TabletopItem[],
  { answers, present: said }: TabletopAnswers,
  { roles }: Deployment,
  given: readonly Participant[] | undefined,
): Session {
  const present = given ?? presentOnPaper(said, roles);
  return {
    ...{ present, brokenOff: false },
    items: items.map((item) => {
      const own: PaperAnswer = answers[item.id] ?? { answer: '' };
      const gap = gapOf(item, own, present);
      return {
        ...{ ...item, asked: true, answer: own.answer },
        ...(own.by === undefined ? {} : { by: own.by }),
        ...(own.seconds === undefined ? {} : { tookMs: own.seconds * 1000 }),
        ...(gap === undefined ? {} : { gap }),
      };
    }),
  };
}

function presentOnPaper(said: TabletopAnswers['present'], roles: Roles): Participant[] {
  return Object.entries(said ?? {}).flatMap(([role, people]) => {
    if (people.length > 0) return people.map((person) => participantOf(roles, role, person, '--answers'));
    // A role of which nobody was there must be one as well.
    if (!Object.hasOwn(roles, role)) participantOf(roles, role, '', '--answers');
    return [];
  });
}

function recordOf(
  plan: RecoverPlan & { readonly drill: DrillPlan },
  session: Session,
  deployment: Deployment,
  {
    options,
    startedAt,
    endedAt,
  }: { readonly options: TabletopOptions; readonly startedAt: string; readonly endedAt: string },
): RunRecord {
  const absentRoles = Object.keys(deployment.roles).filter(
    (role) => !session.present.some((each) => each.role === role),
  );
  const { view } = options;
  const record: TabletopRecord = { view, items: session.items, absentRoles };
  const actor = options.actor ?? userInfo().username;
  return {
    format: 'tyk-dr/run/v1',
    run: runId('drl', startedAt),
    runbook: 'drill',
    workflowId: 'none',
    ...{ deployment: plan.deployment, tier: plan.tier, from: plan.from, to: plan.to },
    ...(plan.component === undefined ? {} : { component: plan.component }),
    ...{ scenario: plan.scenario, reason: options.reason, actor },
    configDigest: configDigest(deployment),
    planDigest: planDigest(plan),
    objectives: plan.objectives,
    drill: { ...plan.drill, present: session.present, tabletop: record },
    clock: [
      { name: 'declared', at: startedAt, source: actor },
      { name: 'started', at: startedAt, source: 'tyk-dr drill' },
    ],
    ...{ phases: [], steps: [], proofs: [], exceptions: [], decisions: [], waits: [], alarms: [] },
    outcome: outcomeOf(session, record),
    ...(session.brokenOff ? { error: brokenOff(actor, endedAt) } : {}),
    endedAt,
  };
}

function outcomeOf({ brokenOff: cut }: Session, record: TabletopRecord): Outcome {
  if (cut) return 'ABORTED';
  return gapsOf(record).length > 0 ? 'WALKED_THROUGH_WITH_GAPS' : 'WALKED_THROUGH';
}

function brokenOff(actor: string, at: string): NonNullable<RunRecord['error']> {
  const { code, message, hint } = new DrError('ABORTED', {
    actor,
    reason: 'the session was broken off; what was said before is kept',
  });
  return { code, message, hint, at };
}
