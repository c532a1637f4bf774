import { achievedRtoMs, rtoBasis, rtoByTier, tookMs, verifiedPoint } from '../domain/clock.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { rpoVerdict } from '../domain/loss.ts';
import { NAMES, skewText } from '../domain/points.ts';
import { snapshotText } from '../domain/snapshot-text.ts';
import { leftOutText } from '../domain/left-out.ts';
import { type Outcome, type RunRecord } from '../domain/run.ts';
import { escape, row, table } from './html-parts.ts';
import { buildRows } from './builds.ts';
import { criteria } from './html-criteria.ts';
import { decisions } from './html-decisions.ts';
import { drillHtml, kindOfRun } from './drill.ts';
import { earlierLines, replicaLines } from './replicas.ts';
import { lossLines, rpoText } from './loss.ts';
import { htmlOf } from './document.ts';
import { abandonedLines } from './abandoned.ts';
import { lostItemLines } from './lost-items.ts';
import { STYLE } from './html-style.ts';
import { tabletopDocument } from './tabletop.ts';
import { contactRows, type People } from './people.ts';
import { timeline } from './html-timeline.ts';

/** The report as one self-contained file: no script, no request to anywhere, good on screen and on paper. Pure. */

const TONE: Readonly<Record<Outcome, string>> = {
  RECOVERED: 'good',
  RECOVERED_WITH_EXCEPTIONS: 'fair',
  WALKED_THROUGH: 'good',
  WALKED_THROUGH_WITH_GAPS: 'fair',
  REPLICATED: 'good',
  REPLICATED_WITH_EXCEPTIONS: 'fair',
  FAILED_UNDONE: 'bad',
  STUCK: 'bad',
  ABORTED: 'bad',
  REFUSED: 'bad',
};

/** @param people of the deployment, where its configuration is at hand. */
export function htmlReport(record: RunRecord, people?: People): string {
  if (record.drill?.tabletop) return htmlOf(tabletopDocument(record));
  const sections = [
    verdict(record),
    objectives(record),
    drillHtml(record),
    criteria(record),
    timeline(record),
    tiers(record),
    asked(record),
    lost(record),
    proofs(record),
    notMeasured(record),
    clock(record),
    steps(record),
    backupSet(record),
    points(record),
    forecast(record),
    decisions(record),
    acknowledged(record),
    builds(record),
    contacts(people),
    provenance(record),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`${record.outcome ?? 'running'}: ${record.runbook} ${record.deployment} (${record.run})`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${sections.filter(Boolean).join('\n')}
</main>
</body>
</html>`;
}

function verdict(record: RunRecord): string {
  const achieved = achievedRtoMs(record.clock);
  const tone = record.outcome === undefined ? 'fair' : TONE[record.outcome];
  const basis = rtoBasis(record.clock);
  const sentence =
    achieved === undefined
      ? record.runbook === 'replicate'
        ? 'Nothing was recovered.'
        : 'No traffic was verified.'
      : `${verifiedPoint(record.clock)!.name === 'traffic verified' ? 'Traffic' : 'Component'} verified ${formatDuration(achieved)} after the disaster ${basis.name === 'occurred' ? 'occurred' : `was ${basis.name}`}.`;
  const error = record.error
    ? `<p class="error">${escape(record.error.message)}<br><span>${escape(record.error.hint)}</span></p>`
    : '';
  return `<header class="${tone}">
<h1>${escape(record.outcome ?? 'STILL RUNNING')}</h1>
<p>${escape(titleOf(record))} of <b>${escape(record.component ?? record.deployment)}</b>${record.component ? ` of ${escape(record.deployment)}` : ''} from <b>${escape(record.from)}</b> to <b>${escape(record.to)}</b>. ${escape(sentence)}</p>
<p>“${escape(record.reason)}”, ${escape(record.actor)}. Scenario ${escape(record.scenario)}, run <code>${escape(record.run)}</code>.</p>
${error}</header>`;
}

function titleOf(record: RunRecord): string {
  const kind = kindOfRun(record);
  return record.drill ? `${kind}: recovery` : `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
}

function objectives(record: RunRecord): string {
  const achieved = achievedRtoMs(record.clock);
  const { rtoMs, rpoMs } = record.objectives;
  const met = achieved !== undefined && achieved <= rtoMs;
  const exceptions = record.exceptions.length;
  const measured = record.proofs.filter((proof) => proof.verdict !== 'not-measured');
  const passed = measured.filter((proof) => proof.verdict === 'pass').length;
  // A site that was made to follow another has neither.
  const reached =
    record.runbook === 'replicate'
      ? ''
      : `${card('RTO', achieved === undefined ? 'not reached' : formatDuration(achieved), `target ${formatDuration(rtoMs)}`, met ? 'good' : 'bad')}
${card('RPO', rpoText(record).replace(/ {2}.*/, ''), `target ${formatDuration(rpoMs)}`, RPO_TONE[rpoVerdict(record.losses, rpoMs)])}
`;
  return `<section class="cards">
${reached}${card('Proofs', `${passed} of ${measured.length}`, `${record.proofs.length - measured.length} not measured`, passed === measured.length && passed > 0 ? 'good' : 'bad')}
${card('Exceptions', String(exceptions), exceptions === 0 ? 'none' : 'see below', exceptions === 0 ? 'good' : 'fair')}
</section>`;
}

const RPO_TONE = { met: 'good', missed: 'bad', unproven: 'fair', 'not measured': 'fair' } as const;

function lost(record: RunRecord): string {
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0
      ? ''
      : `<section><h2>${title}</h2><ul>${lines.map((line) => `<li>${escape(line.trim())}</li>`).join('')}</ul></section>`;
  return `${list('Goes on from', earlierLines(record))}${list('Stores of the standby', replicaLines(record))}${list('What only the old site had', abandonedLines(record))}${list('What was lost', lossLines(record))}${list('What was lost, by name', lostItemLines(record))}`;
}

function card(title: string, value: string, below: string, tone: string): string {
  return `<div class="card ${tone}"><h2>${escape(title)}</h2><p class="value">${escape(value)}</p><p>${escape(below)}</p></div>`;
}

function tiers(record: RunRecord): string {
  const rows = rtoByTier(record).map((own) =>
    row([
      own.tier,
      own.rtoMs === undefined ? 'not reached' : formatDuration(own.rtoMs),
      `${own.proofs - own.failed} of ${own.proofs}`,
    ]),
  );
  if (rows.length === 0) return '';
  return `<section><h2>By tier of API</h2>${table(['tier', 'RTO achieved', 'proofs'], rows)}</section>`;
}

function asked(record: RunRecord): string {
  const items = [
    ...record.exceptions.map((text) => `<li>${escape(text)}</li>`),
    ...record.alarms.map((alarm) => `<li>${escape(alarm.at)}: ${escape(alarm.text)}</li>`),
    ...Object.entries(record.componentStates ?? {}).map(
      ([name, state]) => `<li>left on the target: ${escape(name)} is ${escape(state)}</li>`,
    ),
  ];
  return items.length === 0
    ? ''
    : `<section><h2>Exceptions and alarms</h2><ul>${items.join('')}</ul></section>`;
}

function proofs(record: RunRecord): string {
  const rows = record.proofs
    .filter((proof) => proof.verdict !== 'not-measured')
    .map((proof) =>
      row(
        [proof.step, proof.name, proof.expected, proof.actual, proof.verdict],
        proof.verdict === 'pass' ? 'pass' : 'fail',
      ),
    );
  return `<section><h2>Proofs</h2>${table(['step', 'proof', 'expected', 'found', 'verdict'], rows)}</section>`;
}

function notMeasured(record: RunRecord): string {
  const rows = record.proofs
    .filter((proof) => proof.verdict === 'not-measured')
    .map((proof) => row([proof.step, proof.name, proof.actual]));
  if (rpoVerdict(record.losses, record.objectives.rpoMs) === 'not measured')
    rows.push(row(['objectives', 'data loss (RPO)', 'not measured']));
  return `<section><h2>Not measured</h2><p>Kept apart from what was proven. It does not lower the outcome of this run, and it proves nothing.</p>${table(['step', 'what', 'why'], rows)}</section>`;
}

function clock(record: RunRecord): string {
  const basis = rtoBasis(record.clock);
  const rows = record.clock.map((point) =>
    row([point.name, point.at, formatSigned(Date.parse(point.at) - Date.parse(basis.at)), point.source]),
  );
  return `<section><h2>Clock</h2>${table(['point', 'at (UTC)', `from ${basis.name}`, 'source'], rows)}</section>`;
}

function steps(record: RunRecord): string {
  const rows = record.steps.map((step) => {
    const time =
      step.startedAt && step.endedAt
        ? formatDuration(Date.parse(step.endedAt) - Date.parse(step.startedAt))
        : '';
    const state = step.state === 'not-part' ? leftOutText(record, step) : step.state;
    return row(
      [
        step.phase,
        step.id,
        state,
        time,
        step.calls > 1 ? String(step.calls) : '',
        step.error?.message ?? step.summary ?? '',
      ],
      step.state === 'failed' ? 'fail' : '',
    );
  });
  return `<section><h2>Steps</h2>${table(['phase', 'step', 'state', 'time', 'calls', 'result'], rows)}</section>`;
}

function backupSet({ set, configRef }: RunRecord): string {
  if (!set) return '';
  const rows = [
    row(['set', set.set]),
    row(['taken', `${set.createdAt} on ${set.site}`]),
    row(['verified by a restore', set.verified ? 'yes' : 'NO']),
    row(['sealed objects', formatBytes(set.bytes)]),
    ...(set.redisKeys === undefined ? [] : [row(['Redis keys', String(set.redisKeys)])]),
    ...(set.databaseBytes === undefined ? [] : [row(['database', formatBytes(set.databaseBytes)])]),
    ...Object.entries(set.versions).map(([name, version]) => row([name, version])),
    ...(set.snapshots ?? []).map((snapshot) => row(['used with it', snapshotText(snapshot)])),
    ...(configRef ? [row(['configuration', `git ${configRef.ref}, commit ${configRef.commit}`])] : []),
  ];
  return `<section><h2>Backup set</h2>${table(['', ''], rows)}</section>`;
}

function points({ points: reached = [] }: RunRecord): string {
  if (reached.length === 0) return '';
  const rows = reached.map(({ store, at, from }) => row([NAMES[store], at ?? 'known after replay', from]));
  return `<section><h2>Points of the stores; skew ${escape(skewText(reached))}</h2>${table(['store', 'as of (UTC)', 'from'], rows)}</section>`;
}

function forecast({ forecast: expected, clock }: RunRecord): string {
  if (!expected) return '';
  const took = tookMs(clock);
  const beside = took === undefined ? 'not reached' : `took ${formatDuration(took)}`;
  const rows = expected.parts.map((part) =>
    row([part.name, formatDuration(part.durationMs), part.arithmetic]),
  );
  return `<section><h2>Forecast from start to traffic: ${formatDuration(expected.totalMs)}; ${beside}</h2>${table(['part', 'time', 'arithmetic'], rows)}</section>`;
}

function acknowledged({ acknowledgements = [] }: RunRecord): string {
  if (acknowledgements.length === 0) return '';
  const rows = acknowledgements.map(({ at, actor }) => row([at, actor]));
  return `<section><h2>Acknowledged</h2>${table(['at (UTC)', 'who'], rows)}</section>`;
}

function builds(record: RunRecord): string {
  const rows = buildRows(record).map((cells) => row(cells));
  if (rows.length === 0) return '';
  return `<section><h2>Builds of tyk-dr that served the run</h2>${table(['build', 'workers, each from its first step'], rows)}</section>`;
}

function contacts(people: People | undefined): string {
  const rows = people ? contactRows(people) : [];
  if (rows.length === 0) return '';
  return `<section><h2>Contacts</h2>${table(
    ['level', 'name', 'role, or where', '', ''],
    rows.map((cells) => row(cells)),
  )}</section>`;
}

function provenance(record: RunRecord): string {
  return `<footer>Plan ${escape(record.planDigest.slice(0, 16))}, configuration ${escape(record.configDigest.slice(0, 16))}, workflow ${escape(record.workflowId)}. Times are UTC.</footer>`;
}

function formatSigned(ms: number): string {
  return `${ms < 0 ? '−' : '+'}${formatDuration(Math.abs(ms))}`;
}
