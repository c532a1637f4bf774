import { isDeepStrictEqual } from 'node:util';
import { appendEvent, readJournal } from '../adapters/backup/journal.ts';
import { readImprovement } from '../adapters/backup/improvement.ts';
import { blackoutAt } from '../domain/blackout.ts';
import { nextOccurrence } from '../domain/calendar.ts';
import {
  SCHEDULE_ACTOR,
  type CalendarNote,
  type PrepareInput,
  type Preparation,
} from '../domain/calendar-messages.ts';
import type { BackupConfig, Deployment } from '../domain/config.ts';
import { parseCron } from '../domain/cron.ts';
import { isPlantDue, nextComponent, nextScenario } from '../domain/drill-rotation.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { entriesOf, type Entry } from '../domain/journal.ts';
import { configuredParticipants } from '../domain/participants.ts';
import { RECOVERABLE, type Recoverable } from '../domain/run.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** The calendar of drills, where the repository is: what is due, what becomes of it, and the notes about it. */

export function createDrillCalendarActivities(deps: Deps) {
  return {
    'read-standing': (name: string): Promise<DrillStanding> =>
      asActivity(
        async () => (await readImprovement(deps.deployment(name), name, new Date().toISOString())).standing,
      ),
    'note-drill': (name: string, note: CalendarNote): Promise<void> =>
      asActivity(() => noteOnce(deps.deployment(name).backup, name, note)),
    'prepare-drill': (input: PrepareInput): Promise<Preparation> =>
      asActivity(() =>
        prepare(deps.deployment(input.deployment), deps.digest(input.deployment), input, Date.now()),
      ),
  };
}

/** Called again, it finds its note there. */
async function noteOnce(backup: BackupConfig, name: string, note: CalendarNote): Promise<void> {
  const { entries } = await readJournal(backup, name);
  const said = ({ at: _at, id: _id, ...rest }: Entry): unknown => rest;
  const own = entries.filter(({ kind }) => kind === note.kind);
  // Of a calendar only the last word counts: going back to an earlier one is new.
  const before = note.kind === 'calendar' ? own.slice(-1) : own;
  if (before.some((entry) => isDeepStrictEqual(said(entry), note))) return;
  await appendEvent(backup, name, { ...note, at: new Date().toISOString() });
}

async function prepare(
  deployment: Deployment,
  configDigest: string,
  { deployment: name, drill, dueAt }: PrepareInput,
  nowMs: number,
): Promise<Preparation> {
  const { records, entries } = await readImprovement(deployment, name, new Date(nowMs).toISOString());
  const said = decided(entries, drill, dueAt);
  if (said?.kind === 'drill-skipped')
    return { then: 'leave', reason: `${said.reason} (skipped by ${said.actor})` };
  const putOff = darkNow(deployment, nowMs) ?? laterThan(said, nowMs);
  if (putOff) {
    const until = new Date(putOff.untilMs).toISOString();
    if (putOff.isNew) {
      const note = { kind: 'drill-deferred', drill, dueAt, until, reason: putOff.reason } as const;
      await noteOnce(deployment.backup, name, { ...note, actor: SCHEDULE_ACTOR });
    }
    // The next one of its kind comes first, and is made instead.
    const next = nextOf(deployment, drill, Date.parse(dueAt));
    return next !== undefined && next <= putOff.untilMs
      ? { then: 'leave', reason: `${putOff.reason}; the next one is due before` }
      : { then: 'wait', until, reason: putOff.reason };
  }
  const component = drill === 'component' ? nextComponent(componentsOf(deployment), records) : undefined;
  return {
    then: 'run',
    scenario: drill === 'component' ? 'infrastructure' : nextScenario(drill, records),
    ...(component === undefined ? {} : { component }),
    plant: isPlantDue(deployment.drill?.schedules?.plantEvery, records),
    participants: configuredParticipants(deployment.roles),
    configDigest,
  };
}

/** The last word of a person, or of an earlier look, about this very drill. */
function decided(entries: readonly Entry[], drill: PrepareInput['drill'], dueAt: string) {
  return [...entriesOf(entries, 'drill-deferred'), ...entriesOf(entries, 'drill-skipped')]
    .filter((entry) => entry.drill === drill && entry.dueAt === dueAt)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .at(-1);
}

interface PutOff {
  readonly untilMs: number;
  readonly reason: string;
  readonly isNew: boolean;
}

function laterThan(said: ReturnType<typeof decided>, nowMs: number): PutOff | undefined {
  if (said?.kind !== 'drill-deferred' || Date.parse(said.until) <= nowMs) return undefined;
  return { untilMs: Date.parse(said.until), reason: said.reason, isNew: false };
}

function darkNow({ drill }: Deployment, nowMs: number): PutOff | undefined {
  const { blackouts = [], timezone = 'UTC' } = drill?.schedules ?? {};
  const dark = blackoutAt(blackouts, timezone, nowMs);
  return dark && { untilMs: dark.until, reason: `blackout: ${dark.reason}`, isNew: true };
}

function nextOf({ drill }: Deployment, kind: PrepareInput['drill'], afterMs: number): number | undefined {
  const calendar = drill?.schedules;
  const cron = parseCron(calendar?.[kind]?.cron ?? '');
  return typeof cron === 'string' ? undefined : nextOccurrence(cron, calendar!.timezone, afterMs);
}

/** Those that a drill can recover alone. */
function componentsOf({ sites }: Deployment): Recoverable[] {
  const all = Object.values(sites);
  return RECOVERABLE.filter((component) =>
    component === 'gateway' ? true : all.some((site) => site[component] !== undefined),
  );
}
