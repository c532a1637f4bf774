import { formatDuration } from '../domain/duration.ts';
import { fleetClass, type FleetMember, type FleetRecord } from '../domain/fleet.ts';
import { fleetForecast, type FleetOutlook } from '../domain/fleet-forecast.ts';
import { byUrgency } from '../domain/fleet-turns.ts';
import { OUTCOME_CLASS } from '../domain/run.ts';
import { forecastLines, notTakenLines, outlookText, stateText, waitedMs } from './fleet.ts';
import { escape, row, table } from './html-parts.ts';
import { STYLE } from './html-style.ts';

/** A fleet as one self-contained page: no script, no request to anywhere, good on screen and on paper. Pure. */

export interface FleetPage {
  readonly record: FleetRecord;
  readonly nowMs: number;
  /** Runs whose own reports lie beside the page, by their file's name. */
  readonly reports?: ReadonlyMap<string, string>;
}

interface Row {
  readonly member: FleetMember;
  readonly out: FleetOutlook;
}

export function fleetHtml(page: FleetPage): string {
  const { record, nowMs } = page;
  const outlooks = fleetForecast(record, nowMs);
  const rows = byUrgency(record.members).map((member) => ({
    member,
    out: outlooks.get(member.deployment)!,
  }));
  const title = `${record.endedAt === undefined ? 'running' : 'ended'}: fleet of ${record.site}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}${OWN_STYLE}</style>
</head>
<body>
<main>
${[heading(page, rows), cards(page, rows), waiting(rows), late(page, rows), all(page, rows), notTaken(record), provenance(record)].filter(Boolean).join('\n')}
</main>
</body>
</html>
`;
}

/** Hundreds of rows are still one page: each is one line. */
const OWN_STYLE = `
main { max-width: 1280px; }
tr.good td:nth-child(3) { color: var(--good); font-weight: 600; } tr.fair td:nth-child(3) { color: var(--fair); font-weight: 600; }
tr.bad td:nth-child(3) { color: var(--bad); font-weight: 600; }
td.bad { color: var(--bad); font-weight: 600; } td.good { color: var(--good); } td.bar { width: 190px; }
td small { display: block; color: var(--soft); font-weight: 400; }
td:nth-child(n+4):nth-child(-n+6), td small { white-space: nowrap; }
.bars { height: 12px; margin-top: 4px; width: 180px; background: #eef0f3; position: relative; }
.bars i { position: absolute; top: 0; height: 12px; } .bars .queued { background: #b9c4d2; } .bars .run { background: #3b6ea5; }
.bars .due { width: 2px; background: var(--bad); }
@media print { .bars, .bars i { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;

const isLate = ({ out }: Row): boolean => ['will breach', 'breached', 'missed'].includes(out.verdict);

const countOf = (rows: readonly Row[], state: FleetMember['state']): number =>
  rows.filter(({ member }) => member.state === state).length;

const recoveredOf = (rows: readonly Row[]): number =>
  rows.filter(({ member }) => member.ending?.outcome.startsWith('RECOVERED')).length;

function heading({ record, nowMs }: FleetPage, rows: readonly Row[]): string {
  const { site, runbook, scenario, reason, actor, startedAt, endedAt, stopped } = record;
  const tone = endedAt === undefined ? (rows.some(isLate) ? 'bad' : 'fair') : TONE[fleetClass(record)];
  const ms = Date.parse(endedAt ?? new Date(nowMs).toISOString()) - Date.parse(startedAt);
  const end =
    endedAt === undefined
      ? `running for ${formatDuration(ms)}`
      : `ended ${endedAt}, after ${formatDuration(ms)}`;
  return `<header class="${tone}">
<h1>${endedAt === undefined ? 'FLEET RUNNING' : 'FLEET ENDED'}</h1>
<p>${escape(runbook)} of all that have lost <b>${escape(site)}</b>, scenario ${escape(scenario)}: <b>${recoveredOf(rows)} of ${rows.length}</b> recovered.</p>
<p>“${escape(reason)}”, ${escape(actor)}. Started ${escape(startedAt)}, ${escape(end)}.</p>
${stopped ? `<p class="error">Stopped by ${escape(stopped.actor)} at ${escape(stopped.at)}: ${escape(stopped.reason)}</p>` : ''}
${
  endedAt === undefined
    ? forecastLines(record, nowMs)
        .map((line) => `<p>${escape(line)}</p>`)
        .join('\n')
    : ''
}
</header>`;
}

const TONE: Readonly<Record<string, string>> = {
  recovered: 'good',
  exceptions: 'fair',
};

function cards({ record }: FleetPage, rows: readonly Row[]): string {
  const recovered = recoveredOf(rows);
  const lateOnes = rows.filter(isLate).length;
  const lost = rows.flatMap(({ member }) => member.ending?.lost?.maxMs ?? []);
  const person = countOf(rows, 'person');
  const notRecovered =
    countOf(rows, 'ended') - recovered + record.notTaken.filter(({ kind }) => kind !== 'left-out').length;
  return `<section class="cards">
${card('Recovered', `${recovered} of ${rows.length}`, `${countOf(rows, 'running')} running, ${countOf(rows, 'queued')} queued`, recovered === rows.length ? 'good' : 'fair')}
${card('RTO', lateOnes === 0 ? 'all in time' : `${lateOnes} late`, 'over their objective, or about to be', lateOnes === 0 ? 'good' : 'bad')}
${card('Data lost', lost.length === 0 ? 'not measured' : `at most ${formatDuration(Math.max(...lost))}`, `measured of ${lost.length} of ${rows.length}`, lost.length === rows.length && lost.length > 0 ? '' : 'fair')}
${card('For people', person + notRecovered === 0 ? 'nothing' : String(person + notRecovered), `${person} wait for a decision, ${notRecovered} not recovered`, person + notRecovered === 0 ? 'good' : 'bad')}
</section>`;
}

const card = (title: string, value: string, below: string, tone: string): string =>
  `<div class="card ${tone}"><h2>${escape(title)}</h2><p class="value">${escape(value)}</p><p>${escape(below)}</p></div>`;

/** What a person must do first. */
function waiting(rows: readonly Row[]): string {
  const own = rows.filter(({ member }) => member.state === 'person');
  if (own.length === 0) return '';
  return `<section><h2>Waiting for a person</h2>${table(
    ['deployment', 'tier', 'what for', 'look'],
    own.map(({ member: { deployment, tier, waitsFor = '', run } }) =>
      row([deployment, tier, waitsFor, `tyk-dr status ${run}`]),
    ),
  )}</section>`;
}

function late({ nowMs }: FleetPage, rows: readonly Row[]): string {
  const own = rows.filter(isLate);
  if (own.length === 0) return '';
  return `<section><h2>Too late for their RTO</h2>${table(
    ['deployment', 'tier', 'objective', 'used up at', 'achieved, or expected'],
    own.map(({ member, out }) =>
      row([
        ...[
          member.deployment,
          member.tier,
          formatDuration(member.rtoMs),
          new Date(out.deadlineMs).toISOString(),
        ],
        member.ending ? reached(member) : outlookText(member, out, nowMs),
      ]),
    ),
  )}</section>`;
}

/** One line each: the most urgent first, as turns are given. */
function all(page: FleetPage, rows: readonly Row[]): string {
  const { record, nowMs } = page;
  if (rows.length === 0) return '';
  const endMs = Math.max(
    Date.parse(record.endedAt ?? new Date(nowMs).toISOString()),
    ...rows.map(({ out }) => out.expectedAtMs ?? 0),
  );
  const fromMs = Math.min(
    Date.parse(record.startedAt),
    ...rows.map(({ member }) => Date.parse(member.askedAt)),
  );
  const head = [
    'tier',
    'deployment, run',
    'state',
    'RTO',
    'RPO',
    'waited',
    'turn, run, deadline',
    'what became of it',
  ];
  const lines = rows.map((each) => memberLine(page, each, { fromMs, endMs }));
  return `<section><h2>Every deployment</h2>${table(head, lines)}</section>`;
}

interface Span {
  readonly fromMs: number;
  readonly endMs: number;
}

function memberLine({ nowMs, reports }: FleetPage, { member, out }: Row, span: Span): string {
  const { deployment, tier, priority, run, rtoMs, rpoMs, ending, waitsFor } = member;
  const file = reports?.get(run);
  const link =
    file === undefined ? escape(run) : `<a href="${escape(encodeURIComponent(file))}">${escape(run)}</a>`;
  const cell = (text: string, tone = ''): string =>
    `<td${tone === '' ? '' : ` class="${tone}"`}>${escape(text)}</td>`;
  const measured = (text: string, limitMs: number | undefined, tone: string): string =>
    `<td${tone === '' ? '' : ` class="${tone}"`}>${escape(text)}<small>${limitMs === undefined ? '' : `of ${escape(formatDuration(limitMs))}`}</small></td>`;
  const lost = ending?.lost;
  return `<tr class="${toneOf(member)}">${[
    cell(`${priority} ${tier}`),
    `<td>${escape(deployment)}<small>${link}</small></td>`,
    cell(stateText(member)),
    measured(reached(member), rtoMs, ending ? (out.verdict === 'met' ? 'good' : 'bad') : ''),
    measured(lostText(member), rpoMs, lost && rpoMs !== undefined && lost.maxMs > rpoMs ? 'bad' : ''),
    cell(formatDuration(waitedMs(member, nowMs))),
    `<td class="bar">${bars(member, out, nowMs, span)}</td>`,
    cell(ending ? (ending.error ?? '') : (waitsFor ?? outlookText(member, out, nowMs))),
  ].join('')}</tr>`;
}

function toneOf({ ending, state }: FleetMember): string {
  if (!ending) return state === 'person' ? 'bad' : '';
  if (ending.outcome === 'NOT_STARTED') return 'bad';
  const name = OUTCOME_CLASS[ending.outcome];
  return name === 'recovered' ? 'good' : name === 'exceptions' ? 'fair' : 'bad';
}

function reached({ ending }: FleetMember): string {
  if (!ending) return '';
  return ending.achievedRtoMs === undefined ? 'not reached' : formatDuration(ending.achievedRtoMs);
}

function lostText({ ending }: FleetMember): string {
  if (!ending) return '';
  if (!ending.lost) return 'not measured';
  const { minMs, maxMs } = ending.lost;
  return minMs === maxMs ? formatDuration(maxMs) : `${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
}

/** How long it waited for its turn, how long its run took, and when its objective is used up. */
function bars(
  member: FleetMember,
  { deadlineMs }: FleetOutlook,
  nowMs: number,
  { fromMs, endMs }: Span,
): string {
  const percent = (ms: number): number =>
    Math.round(Math.min(1, Math.max(0, (ms - fromMs) / Math.max(1, endMs - fromMs))) * 1000) / 10;
  const part = (look: string, from: number, until: number): string =>
    `<i class="${look}" style="left:${percent(from)}%;width:${Math.max(0.5, percent(until) - percent(from)).toFixed(1)}%"></i>`;
  const asked = Date.parse(member.askedAt);
  const started = member.startedAt === undefined ? undefined : Date.parse(member.startedAt);
  const ended = member.endedAt === undefined ? nowMs : Date.parse(member.endedAt);
  return `<div class="bars" title="${escape(`asked ${member.askedAt}, began ${member.startedAt ?? 'not yet'}, ended ${member.endedAt ?? 'not yet'}`)}">${part('queued', asked, started ?? ended)}${
    started === undefined ? '' : part('run', started, ended)
  }${deadlineMs > endMs ? '' : `<i class="due" style="left:${percent(deadlineMs)}%"></i>`}</div>`;
}

function notTaken({ notTaken: none }: FleetRecord): string {
  if (none.length === 0) return '';
  return `<section><h2>Not taken in</h2><ul>${notTakenLines(none)
    .map((text) => `<li>${escape(text)}</li>`)
    .join('')}</ul></section>`;
}

function provenance({ site, limits, declaredAt, occurredAt, detectedAt }: FleetRecord): string {
  const { all: most, perSite, perRepository, perWorker } = limits;
  return `<footer>Occurred ${escape(occurredAt ?? 'not known')}, detected ${escape(detectedAt ?? 'not known')}, declared ${escape(declaredAt)}. At once at most ${most}, ${perSite} on a site, ${perRepository} from a repository, ${perWorker} by a worker. The bar: grey waits for its turn, blue runs, red where the objective is used up. tyk-dr fleet show ${escape(site)} shows it now. Times are UTC.</footer>`;
}
