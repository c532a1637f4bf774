import { formatDuration } from '../domain/duration.ts';
import type { FleetMember, FleetRecord, NotTaken } from '../domain/fleet.ts';
import { fleetForecast, type FleetOutlook } from '../domain/fleet-forecast.ts';
import { byUrgency } from '../domain/fleet-turns.ts';
import { columns } from './columns.ts';
import { clockTime } from './overview.ts';

/** A fleet on one screen, and its report. Pure. */

type Row = { readonly member: FleetMember; readonly out: FleetOutlook };

const HEADINGS = ['TIER', 'DEPLOYMENT', 'RUN', 'STATE', 'RTO', 'FORECAST'];

/** What a person must do first, then what happens, then what is about to be late; in at most so many lines. */
export function fleetScreen(record: FleetRecord, nowMs: number, most = Infinity): string[] {
  const rows = rowsOf(record, nowMs).sort((a, b) => urgency(a) - urgency(b));
  const room = Math.max(1, most - 4);
  const shown = rows.slice(0, rows.length > room ? room - 1 : room);
  const rest = rows.length - shown.length;
  return [
    headLine(record, rows),
    ...columns([HEADINGS, ...shown.map((row) => cells(row, nowMs))], '  '),
    ...(rest > 0 ? [`  ... and ${rest} more: tyk-dr fleet show ${record.site}`] : []),
    ...(record.notTaken.length > 0 ? [`  ${notTakenText(record.notTaken)}`] : []),
  ];
}

/** Before the start and after it: when all are through, and who will be late. */
export function forecastLines(record: FleetRecord, nowMs: number): string[] {
  const rows = rowsOf(record, nowMs);
  const known = rows.flatMap(({ out }) => out.expectedAtMs ?? []);
  const unknown = rows.filter(({ member, out }) => !member.ending && out.expectedAtMs === undefined);
  const late = rows.filter(({ out }) => out.verdict === 'will breach' || out.verdict === 'breached');
  const names = (those: readonly Row[]): string => listed(those.map(({ member }) => member.deployment));
  return [
    known.length > 0
      ? `forecast: the last of ${known.length} deployments is verified about ${at(Math.max(...known), nowMs)}, in ${formatDuration(Math.max(...known) - nowMs)}`
      : 'forecast: not measured',
    ...(late.length > 0 ? [`  ${late.length} too late for their RTO: ${names(late)}`] : []),
    ...(unknown.length > 0 ? [`  not measured of ${unknown.length}: ${names(unknown)}`] : []),
  ];
}

/** The whole story, once it is over; of one that runs, as far as it has come. */
export function fleetReport(record: FleetRecord, nowMs: number): string {
  const { site, runbook, reason, actor, startedAt, endedAt, stopped, notTaken } = record;
  const rows = rowsOf(record, nowMs);
  const ms = Date.parse(endedAt ?? new Date(nowMs).toISOString()) - Date.parse(startedAt);
  return [
    headLine(record, rows),
    `  ${runbook} of all that have lost ${site}, by ${actor}: ${reason}`,
    `  started ${startedAt}, ${endedAt === undefined ? 'running' : `ended ${endedAt}`}, ${formatDuration(ms)}`,
    ...(stopped ? [`  stopped by ${stopped.actor} at ${stopped.at}: ${stopped.reason}`] : []),
    '',
    ...columns([
      ['TIER', 'DEPLOYMENT', 'RUN', 'OUTCOME', 'RTO ACHIEVED', 'TARGET', '', 'WAITED', ''],
      ...rows.map(({ member, out }) => [
        tier(member),
        member.deployment,
        member.run,
        member.ending?.outcome ?? stateText(member),
        achieved(member),
        formatDuration(member.rtoMs),
        out.verdict,
        formatDuration(waitedMs(member, nowMs)),
        member.ending?.error ?? member.waitsFor ?? '',
      ]),
    ]),
    ...(notTaken.length > 0 ? ['', ...notTakenLines(notTaken)] : []),
  ].join('\n');
}

/** Each with why. */
export function notTakenLines(notTaken: readonly NotTaken[]): string[] {
  const words = { 'left-out': 'left out', refused: 'REFUSED', locked: 'LOCKED' };
  return notTaken.map(({ deployment, kind, why }) => `${words[kind]}: ${deployment}: ${why}`);
}

function headLine({ site, endedAt, members }: FleetRecord, rows: readonly Row[]): string {
  const count = (wanted: FleetMember['state']): number =>
    members.filter(({ state }) => state === wanted).length;
  const recovered = members.filter(({ ending }) => ending?.outcome.startsWith('RECOVERED')).length;
  const late = rows.filter(({ out }) => ['will breach', 'breached', 'missed'].includes(out.verdict)).length;
  const parts = [
    `${recovered} of ${members.length} recovered`,
    `${count('running')} running`,
    `${count('person')} wait for a person`,
    `${count('queued')} queued`,
    `${count('ended') - recovered} not recovered`,
    `${late} over their RTO or about to be`,
  ];
  return `${endedAt === undefined ? 'RUNNING' : 'ENDED'}  fleet of ${site}: ${parts.join(', ')}`;
}

function rowsOf(record: FleetRecord, nowMs: number): Row[] {
  const outlooks = fleetForecast(record, nowMs);
  return byUrgency(record.members).map((member) => ({ member, out: outlooks.get(member.deployment)! }));
}

function urgency({ member, out }: Row): number {
  if (member.state === 'person') return 0;
  if (member.state === 'running') return 1;
  if (member.state === 'queued') return out.verdict === 'will breach' || out.verdict === 'breached' ? 2 : 3;
  return member.ending?.outcome === 'RECOVERED' ? 5 : 4;
}

function cells({ member, out }: Row, nowMs: number): string[] {
  const { deployment, run, rtoMs, ending } = member;
  const elapsedMs = Math.max(0, nowMs - Date.parse(member.basisAt));
  const rto = ending
    ? `${achieved(member)} of ${formatDuration(rtoMs)}`
    : `${formatDuration(elapsedMs)} of ${formatDuration(rtoMs)}`;
  return [tier(member), deployment, run, stateText(member), rto, outlookText(member, out, nowMs)];
}

export function stateText({ state, ending }: FleetMember): string {
  if (state === 'person') return 'WAITING';
  return state === 'ended' ? (ending?.outcome ?? 'ended') : state;
}

export function outlookText(
  { waitsFor, ending }: FleetMember,
  { verdict, expectedAtMs, deadlineMs }: FleetOutlook,
  nowMs: number,
): string {
  if (ending) return ending.error ?? verdict;
  if (waitsFor !== undefined) return `! ${waitsFor}`;
  const done = expectedAtMs === undefined ? '' : `, done about ${at(expectedAtMs, nowMs)}`;
  switch (verdict) {
    case 'breached':
      return `BREACHED at ${at(deadlineMs, nowMs)}${done}`;
    case 'will breach':
      return `breaches at ${at(deadlineMs, nowMs)}${done}`;
    case 'in time':
      return `in time${done}`;
    case 'met':
    case 'missed':
    case 'no forecast':
      return verdict;
  }
}

function achieved({ ending }: FleetMember): string {
  if (ending === undefined) return '';
  return ending.achievedRtoMs === undefined ? 'not reached' : formatDuration(ending.achievedRtoMs);
}

export function waitedMs({ askedAt, startedAt, endedAt }: FleetMember, nowMs: number): number {
  const until = startedAt ?? endedAt;
  return (until === undefined ? nowMs : Date.parse(until)) - Date.parse(askedAt);
}

const tier = ({ priority, tier: name }: FleetMember): string => `${priority} ${name}`;

const at = (ms: number, nowMs: number): string => clockTime(new Date(ms).toISOString(), nowMs);

function notTakenText(notTaken: readonly NotTaken[]): string {
  const count = (wanted: NotTaken['kind']): number => notTaken.filter(({ kind }) => kind === wanted).length;
  return `not taken in: ${count('refused')} refused, ${count('locked')} locked, ${count('left-out')} left out`;
}

/** A screen has no room for hundreds. */
const NAMES = 8;

function listed(names: readonly string[]): string {
  const more = names.length - NAMES;
  return `${names.slice(0, NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
