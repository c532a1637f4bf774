import { formatDuration } from './duration.ts';
import { fleetClass, type FleetMember, type FleetRecord } from './fleet.ts';
import { fleetForecast } from './fleet-forecast.ts';
import { deadlineMs } from './fleet-turns.ts';
import { incidentKey, NOTICE_EVENTS, type Notice, type Severity } from './notice.ts';

/** What people are told of a fleet as a whole; what concerns one deployment its own run tells. Pure. */

/** A message has no room for hundreds. */
const NAMES = 20;

export function begunNotice(record: FleetRecord, at: string): Notice {
  const { members, site, runbook, actor, reason, notTaken } = record;
  const not = notTaken.filter(({ kind }) => kind !== 'left-out');
  return {
    ...common(record, 'fleet-begun', at),
    title: `tyk-dr: ${runbook} of ${counted(members.length, 'deployment')} that lost ${site} has begun`,
    lines: [
      `${reason} (${actor})`,
      tierText(members),
      ...(not.length > 0
        ? [`not taken in: ${listed(not.map(({ deployment, why }) => `${deployment}: ${why}`))}`]
        : []),
      `tyk-dr fleet show ${site} --watch`,
    ],
  };
}

export function lateNotice(record: FleetRecord, late: readonly FleetMember[], at: string): Notice {
  const nowMs = Date.parse(at);
  return {
    ...common(record, 'fleet-late', at),
    opens: incidentOf(record),
    title: `tyk-dr: too late for the RTO, or about to be: ${counted(late.length, 'critical deployment')} that lost ${record.site}`,
    lines: late.slice(0, NAMES).map((member) => {
      const due = deadlineMs(member);
      const when = due > nowMs ? `in ${formatDuration(due - nowMs)}` : `${formatDuration(nowMs - due)} ago`;
      return `${member.deployment}: ${member.waitsFor ?? member.state}; its RTO of ${formatDuration(member.rtoMs)} is used up ${when}`;
    }),
  };
}

const SEVERITY_OF: Readonly<Record<string, Severity>> = { recovered: 'info', exceptions: 'warning' };

export function endedNotice(record: FleetRecord, at: string): Notice {
  const { members, site, startedAt } = record;
  const recovered = members.filter(({ ending }) => ending?.outcome.startsWith('RECOVERED'));
  const missed = members.filter(
    ({ ending, rtoMs }) => ending && (ending.achievedRtoMs === undefined || ending.achievedRtoMs > rtoMs),
  );
  const others = members.filter((member) => !recovered.includes(member));
  return {
    ...common(record, 'fleet-ended', at),
    severity: SEVERITY_OF[fleetClass(record)] ?? 'critical',
    closes: [incidentOf(record)],
    title: `tyk-dr: the fleet of ${site} has ended: ${recovered.length} of ${members.length} recovered`,
    lines: [
      `after ${formatDuration(Date.parse(at) - Date.parse(startedAt))}; ${missed.length} missed their RTO`,
      ...others
        .slice(0, NAMES)
        .map(
          ({ deployment, ending }) =>
            `${deployment}: ${ending?.outcome}${ending?.error ? `: ${ending.error}` : ''}`,
        ),
      ...(others.length > NAMES ? [`and ${others.length - NAMES} more`] : []),
      `tyk-dr fleet show ${site}`,
    ],
  };
}

const incidentOf = ({ site }: FleetRecord): string => incidentKey(`fleet/${site}`, 'late');

function common({ site }: FleetRecord, event: 'fleet-begun' | 'fleet-late' | 'fleet-ended', at: string) {
  const { severity } = NOTICE_EVENTS[event];
  return { event, severity, deployment: `all that have lost ${site}`, at, about: `fleet/${site}` };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function tierText(members: readonly FleetMember[]): string {
  const tiers = [...new Set(members.map(({ tier }) => tier))];
  return tiers.map((tier) => `${members.filter((each) => each.tier === tier).length} ${tier}`).join(', ');
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES;
  return `${names.slice(0, NAMES).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** A queue of more is not told to its end within a task of a workflow: then only what is over counts. */
const MOST_FORECAST = 150;

/** Critical ones that are too late or will be, and of whom nobody was told yet. */
export function lateCritical(record: FleetRecord, nowMs: number): FleetMember[] {
  const told = record.told?.late ?? [];
  const open = record.members.filter(({ state }) => state !== 'ended');
  const critical = open.filter(({ tier, deployment }) => tier === 'critical' && !told.includes(deployment));
  if (critical.length === 0) return [];
  // Less urgent ones that wait go behind them, and change nothing for them.
  const before = open.filter(({ tier, state }) => tier === 'critical' || state === 'running');
  const outlooks =
    before.length > MOST_FORECAST ? undefined : fleetForecast({ ...record, members: before }, nowMs);
  return critical.filter(
    (member) => nowMs > deadlineMs(member) || outlooks?.get(member.deployment)?.verdict === 'will breach',
  );
}
