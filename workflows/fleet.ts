import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { whoAndWhyProblem } from '../domain/decision.ts';
import { DrError } from '../domain/errors.ts';
import {
  FLEET_QUERY,
  FLEET_SIGNALS,
  FLEET_STOP,
  missing,
  turnId,
  type Asking,
  type Ending,
  type FleetInput,
  type FleetMember,
  type FleetRecord,
  type StopFleetArgs,
} from '../domain/fleet.ts';
import { nextTurns } from '../domain/fleet-turns.ts';
import { FleetTeller } from './fleet-tell.ts';
import { now } from './run-state.ts';

/**
 * A regional disaster over a fleet: gives turns to the deployments that ask for one, the most urgent first, within the
 * limits. Each is a workflow of its own (`turn`), and its run a child of that. What is queued is state of this workflow:
 * it outlives every worker and the server, and goes from one history to the next before one grows too long.
 */

const askSignal = defineSignal<[Asking]>(FLEET_SIGNALS.ask);
const standingSignal = defineSignal<[string, string | undefined]>(FLEET_SIGNALS.standing);
const endedSignal = defineSignal<[string, Ending]>(FLEET_SIGNALS.ended);
const goSignal = defineSignal<[boolean]>(FLEET_SIGNALS.go);

/** Whoever starts the turns may have died over it: those that are still to come after this long do not. */
const ARRIVAL_PATIENCE_MS = 30_000;

/** @param carried the record of the history before */
export async function fleet(input: FleetInput, carried?: FleetRecord): Promise<FleetRecord> {
  const record: FleetRecord = carried ?? {
    ...{ format: 'tyk-dr/fleet/v1', ...input, startedAt: now(), members: [], allHere: false },
  };
  listen(record);
  const teller = new FleetTeller(record);
  while (!isOver(record)) {
    await giveTurns(record);
    showCounts(record);
    teller.look();
    if (workflowInfo().continueAsNewSuggested) {
      await teller.done();
      await condition(allHandlersFinished);
      await continueAsNew<typeof fleet>(input, record);
    }
    await untilNews(record, teller.everyMs);
  }
  record.endedAt = now();
  teller.ended();
  showCounts(record);
  await teller.done();
  await condition(allHandlersFinished);
  return record;
}

/** Call before the first await. */
function listen(record: FleetRecord): void {
  setHandler(defineQuery<FleetRecord>(FLEET_QUERY), () => record, {
    description: 'Every deployment of the fleet as it stands.',
  });
  setHandler(askSignal, (asking) => ask(record, asking));
  setHandler(standingSignal, (deployment, waitsFor) => {
    const member = record.members.find((each) => each.deployment === deployment);
    if (member && member.state !== 'ended') stand(member, waitsFor);
  });
  setHandler(endedSignal, (deployment, ending) => {
    const member = record.members.find((each) => each.deployment === deployment);
    if (member && member.state !== 'ended') end(member, ending);
  });
  setHandler(defineUpdate<string, [StopFleetArgs]>(FLEET_STOP), (args: StopFleetArgs) => stop(record, args), {
    description: 'No further deployment begins. Argument: {"actor":"NAME","reason":"WHY"}.',
    validator: (args: StopFleetArgs) => {
      const problem = whoAndWhyProblem(args);
      if (!problem) return;
      const { message, code } = new DrError('BAD_ARGUMENT', { ...problem });
      throw ApplicationFailure.nonRetryable(message, code);
    },
  });
}

/** One that asks again, after it was ended here, is a new one. */
function ask(record: FleetRecord, asking: Asking): void {
  const { members } = record;
  const before = members.findIndex(({ deployment }) => deployment === asking.deployment);
  if (before >= 0 && members[before]!.state !== 'ended') return;
  if (before >= 0) members.splice(before, 1);
  members.push({ ...asking, state: 'queued', askedAt: now() });
  // It came when the fleet had been stopped.
  if (record.stopped) void refuseTurn(members.at(-1)!, record);
}

/** Its place is free while a person is waited for; once they have decided it goes on at once, over the limit or not. */
function stand(member: FleetMember, waitsFor: string | undefined): void {
  member.state = waitsFor === undefined ? 'running' : 'person';
  delete member.waitsFor;
  if (waitsFor !== undefined) member.waitsFor = waitsFor;
}

function end(member: FleetMember, ending: Ending): void {
  Object.assign(member, { state: 'ended', endedAt: now(), ending });
  delete member.waitsFor;
}

async function stop(record: FleetRecord, { actor, reason }: StopFleetArgs): Promise<string> {
  record.stopped ??= { actor, reason, at: now() };
  const queued = record.members.filter(({ state }) => state === 'queued');
  await Promise.all(queued.map((member) => refuseTurn(member, record)));
  return `${queued.length} deployments will not begin`;
}

async function refuseTurn(member: FleetMember, { site, stopped }: FleetRecord): Promise<void> {
  end(member, {
    outcome: 'NOT_STARTED',
    error: `the fleet was stopped by ${stopped!.actor}: ${stopped!.reason}`,
  });
  await tell(site, member, false).catch(() => undefined);
}

async function giveTurns(record: FleetRecord): Promise<void> {
  await Promise.all(
    nextTurns(record).map(async (member) => {
      Object.assign(member, { state: 'running', startedAt: now() });
      await tell(record.site, member, true).catch(() =>
        end(member, { outcome: 'NOT_STARTED', error: 'its turn was ended in Temporal' }),
      );
    }),
  );
}

function tell(site: string, { deployment }: FleetMember, may: boolean): Promise<void> {
  return getExternalWorkflowHandle(turnId(site, deployment)).signal(goSignal, may);
}

/** Until somebody's turn has come or all is over; and until those that were to come have had their time. */
async function untilNews(record: FleetRecord, atMostMs: number | undefined): Promise<void> {
  const isNews = (): boolean => isOver(record) || nextTurns(record).length > 0;
  if (record.allHere) {
    await (atMostMs === undefined ? condition(isNews) : condition(isNews, atMostMs));
    return;
  }
  const come = record.members.length;
  const moved = (): boolean => isNews() || record.members.length > come || missing(record).size === 0;
  const inTime = await condition(moved, ARRIVAL_PATIENCE_MS, {
    summary: 'patience for those that are to come',
  });
  if (!inTime || missing(record).size === 0) record.allHere = true;
}

function isOver({ members, allHere }: FleetRecord): boolean {
  return allHere && members.every(({ state }) => state === 'ended');
}

function showCounts({ members, site, endedAt }: FleetRecord): void {
  const count = (wanted: FleetMember['state']): number =>
    members.filter(({ state }) => state === wanted).length;
  setCurrentDetails(
    [
      `**${endedAt === undefined ? 'running' : 'ended'}** · ${members.length} deployments that have lost ${site}`,
      '',
      `${count('ended')} ended, ${count('running')} running, ${count('person')} wait for a person, ${count('queued')} queued`,
      '',
      `\`tyk-dr fleet show ${site}\` shows each of them.`,
    ].join('\n'),
  );
}
