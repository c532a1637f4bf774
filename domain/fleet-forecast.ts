import type { FleetMember, FleetRecord } from './fleet.ts';
import { byUrgency, deadlineMs, turnsInOrder } from './fleet-turns.ts';

/** Who will be recovered when, and who too late: the queue told to its end. Pure. */

export interface FleetOutlook {
  readonly verdict: 'met' | 'missed' | 'breached' | 'will breach' | 'in time' | 'no forecast';
  /** When traffic should be verified, Unix milliseconds; absent where nobody can say, and where it is or never will be. */
  readonly expectedAtMs?: number;
  /** When the objective is, or was, used up; Unix milliseconds. */
  readonly deadlineMs: number;
}

/**
 * The same turns as the workflow gives, with expected durations in the place of runs. Of whom nobody could say how long
 * they take, the median of the others is assumed for the place that they hold, and nothing is said of themselves. A
 * run that waits for a person holds no place, and nobody knows when it goes on.
 */
export function fleetForecast(record: FleetRecord, nowMs: number): Map<string, FleetOutlook> {
  const ends = endsOf(record, nowMs);
  return new Map(
    record.members.map((member) => [
      member.deployment,
      outlookOf(member, ends.get(member.deployment), nowMs),
    ]),
  );
}

function outlookOf(member: FleetMember, expectedAtMs: number | undefined, nowMs: number): FleetOutlook {
  const due = deadlineMs(member);
  if (member.ending) {
    const { achievedRtoMs } = member.ending;
    const met = achievedRtoMs !== undefined && achievedRtoMs <= member.rtoMs;
    return { verdict: met ? 'met' : 'missed', deadlineMs: due };
  }
  const common = { deadlineMs: due, ...(expectedAtMs === undefined ? {} : { expectedAtMs }) };
  if (nowMs > due) return { ...common, verdict: 'breached' };
  if (expectedAtMs === undefined) return { ...common, verdict: 'no forecast' };
  return { ...common, verdict: expectedAtMs > due ? 'will breach' : 'in time' };
}

/** When the traffic of each should be verified, Unix milliseconds. */
function endsOf(record: FleetRecord, nowMs: number): Map<string, number> {
  const { members, limits } = record;
  const assumedMs = median(members.flatMap(({ expectedMs }) => expectedMs ?? []));
  const ends = new Map<string, number>();
  if (assumedMs === undefined) return ends;
  const places: { readonly member: FleetMember; readonly freeAtMs: number }[] = [];
  const hold = (member: FleetMember, fromMs: number): void => {
    const { deployment, expectedMs } = member;
    // What is behind its forecast is not done before now.
    if (expectedMs !== undefined) ends.set(deployment, Math.max(nowMs, fromMs + expectedMs));
    places.push({ member, freeAtMs: Math.max(nowMs, fromMs + (expectedMs ?? assumedMs)) });
  };
  for (const member of members) if (member.state === 'running') hold(member, Date.parse(member.startedAt!));
  let queue = byUrgency(members.filter(({ state }) => state === 'queued'));
  for (let atMs = nowMs; ;) {
    const running = places.map(({ member }) => member);
    const turns = new Set(turnsInOrder(queue, running, limits));
    for (const member of turns) hold(member, atMs);
    queue = queue.filter((member) => !turns.has(member));
    // Before the last are through, the times of all are known.
    if (queue.length === 0 || places.length === 0) return ends;
    atMs = Math.min(...places.map(({ freeAtMs }) => freeAtMs));
    const held = places.filter(({ freeAtMs }) => freeAtMs > atMs);
    places.splice(0, places.length, ...held);
  }
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
