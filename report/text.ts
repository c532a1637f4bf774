import { formatBytes, formatDuration } from '../domain/duration.ts';
import { achievedRtoMs, rtoBasis, rtoByTier, tookMs, verifiedPoint, waitedTexts } from '../domain/clock.ts';
import { identityText } from '../domain/approvals.ts';
import { rpoVerdict } from '../domain/loss.ts';
import type { Decision } from '../domain/decision.ts';
import type { Proof, RunRecord } from '../domain/run.ts';
import { snapshotText } from '../domain/snapshot-text.ts';
import { buildLines } from './builds.ts';
import { criteriaLines, performanceRows } from './criteria.ts';
import { columns } from './columns.ts';
import { drillLines, kindOfRun } from './drill.ts';
import { forecastLines } from './forecast.ts';
import { asks, outputLines } from './asks.ts';
import { contactRows, type People } from './people.ts';
import { lossLines, rpoText } from './loss.ts';
import { abandonedLines } from './abandoned.ts';
import { lostItemLines } from './lost-items.ts';
import { earlierLines, replicaLines } from './replicas.ts';
import { pointLines } from './points.ts';
import { clockLine, stepLines } from './table.ts';
import { tabletopText } from './tabletop.ts';

/** The report of a run as plain text: verdict first, then what it rests on. Pure. */

/** @param people of the deployment, where its configuration is at hand. */
export function textReport(record: RunRecord, people?: People): string {
  if (record.drill?.tabletop) return tabletopText(record);
  const nowMs = Date.parse(record.endedAt ?? new Date().toISOString());
  return [
    ...verdict(record),
    ...(record.outcome === undefined ? [clockLine(record, nowMs)] : []),
    '',
    ...section('OBJECTIVES', recovers(record) ? objectives(record) : []),
    ...section('GOES ON FROM', earlierLines(record)),
    ...section('CRITERIA', criteriaLines(record)),
    'CLOCK',
    ...columns(
      record.clock.map(({ name, at, source }) => [name, at, source]),
      '  ',
    ),
    '',
    'STEPS  (+ done, / skipped, * by hand, > running, ! waits for a person, x failed, - left out)',
    ...stepLines(record, nowMs),
    '',
    ...drillLines(record),
    ...section('WAITS FOR', asks(record)),
    ...section('BACKUP SET', backupSet(record)),
    ...section('POINTS OF THE STORES', pointLines(record.points ?? [])),
    ...section('STORES OF THE STANDBY', replicaLines(record)),
    ...section('WHAT ONLY THE OLD SITE HAD', abandonedLines(record)),
    ...section('WHAT WAS LOST', lossLines(record)),
    ...section('WHAT WAS LOST, BY NAME', lostItemLines(record)),
    ...section('FORECAST', recovers(record) ? forecast(record) : []),
    ...section('WHAT CLIENTS SAW', witness(record)),
    ...section(
      'PERFORMANCE',
      performanceRows(record).map(([when, figures]) => `  ${when.padEnd(7)} ${figures}`),
    ),
    ...section('PROOFS', record.proofs.filter((proof) => proof.verdict !== 'not-measured').map(proofLine)),
    ...section('NOT MEASURED (not counted as proven)', [
      ...record.proofs
        .filter((proof) => proof.verdict === 'not-measured')
        .map((proof) => `  ? ${proof.name}: ${proof.actual}`),
      ...(recovers(record) && rpoVerdict(record.losses, record.objectives.rpoMs) === 'not measured'
        ? ['  ? data loss (RPO): not measured']
        : []),
    ]),
    ...section(
      'EXCEPTIONS',
      record.exceptions.map((exception) => `  ! ${exception}`),
    ),
    ...section('DECISIONS', record.decisions.map(decisionLine)),
    ...section('APPROVALS', approvalLines(record)),
    ...section(
      'WHAT TOOLS SAID LAST (of steps that failed)',
      record.steps
        .filter(({ error, state }) => error?.output && state !== 'waiting')
        .flatMap(({ id, error }) => [`  ${id}: ${error!.message}`, ...outputLines(error!.output)]),
    ),
    ...section(
      'ALARMS',
      record.alarms.map((alarm) => `  ${alarm.at}  ${alarm.text}`),
    ),
    ...section(
      'ACKNOWLEDGED',
      (record.acknowledgements ?? []).map(({ at, actor }) => `  ${at}  ${actor}`),
    ),
    ...section(
      'STATE OF THE TARGET',
      Object.entries(record.componentStates ?? {}).map(([name, state]) => `  ${name}: ${state}`),
    ),
    ...section('BUILDS (of the workers that answered)', buildLines(record)),
    ...section('CONTACTS', people ? columns(contactRows(people), '  ') : []),
  ].join('\n');
}

/** Else a site was made to follow another: there is no time and no loss to speak of. */
const recovers = ({ runbook }: RunRecord): boolean => runbook !== 'replicate';

function verdict(record: RunRecord): string[] {
  const achieved = achievedRtoMs(record.clock);
  const what = recovers(record)
    ? `${record.component ?? 'the whole deployment'}, from ${record.from} to ${record.to}`
    : `${record.to} follows ${record.from}`;
  const kind = record.runbook === 'recover' ? '' : `${kindOfRun(record)}, `;
  const lines = [
    `${record.outcome ?? 'STILL RUNNING'}: ${kind}${record.deployment}, ${what}`,
    `  run ${record.run}, ${record.scenario}; "${record.reason}", by ${record.actor}`,
  ];
  if (achieved !== undefined)
    lines.push(
      `  ${verifiedPoint(record.clock)!.name} ${formatDuration(achieved)} after it ${rtoBasis(record.clock).name === 'occurred' ? 'occurred' : `was ${rtoBasis(record.clock).name}`}`,
    );
  if (record.error) lines.push(`  error: ${record.error.message}`, `  hint: ${record.error.hint}`);
  return lines;
}

function objectives(record: RunRecord): string[] {
  const achieved = achievedRtoMs(record.clock);
  const { rtoMs, rpoMs } = record.objectives;
  const waited = waitedTexts(record, Date.parse(record.endedAt ?? new Date().toISOString()));
  const rto =
    achieved === undefined
      ? 'not reached'
      : `${formatDuration(achieved)}  ${achieved <= rtoMs ? 'MET' : 'MISSED'}`;
  return [
    `  RTO  target ${formatDuration(rtoMs)}  achieved ${rto}`,
    `  RPO  target ${formatDuration(rpoMs)}  achieved ${rpoText(record)}`,
    ...(waited.length > 0 ? [`  waited for people, within the RTO: ${waited.join(', ')}`] : []),
    ...rtoByTier(record).map(
      (own) =>
        `  APIs of tier ${own.tier}: ${own.rtoMs === undefined ? 'not reached' : formatDuration(own.rtoMs)}, ${own.proofs - own.failed} of ${own.proofs} proofs`,
    ),
  ];
}

function backupSet({ set, configRef }: RunRecord): string[] {
  if (!set) return [];
  const sizes = [
    ...(set.redisKeys === undefined ? [] : [`${set.redisKeys} Redis keys`]),
    ...(set.databaseBytes === undefined ? [] : [`database of ${formatBytes(set.databaseBytes)}`]),
  ];
  return [
    `  ${set.set} of ${set.site}, taken ${set.createdAt}, ${set.verified ? 'verified by a restore' : 'NOT verified by a restore'}`,
    `  ${sizes.join(', ')}`,
    ...(set.snapshots ?? []).map((snapshot) => `  ${snapshotText(snapshot)}`),
    ...(configRef ? [`  configuration from git ${configRef.ref}, commit ${configRef.commit}`] : []),
  ];
}

/** Beside what it came to: from the start of the run to the traffic, as the forecast has it. */
function forecast({ forecast: expected, clock }: RunRecord): string[] {
  if (!expected) return [];
  const took = tookMs(clock);
  const beside = took === undefined ? 'not reached' : `took ${formatDuration(took)}`;
  return [
    `  ${formatDuration(expected.totalMs)} from start to traffic; ${beside}`,
    ...forecastLines(expected),
  ];
}

function witness({ witness: seen }: RunRecord): string[] {
  if (!seen) return [];
  if (seen.firstFailedAt === undefined) return [`  none of ${seen.requests} requests failed`];
  const lasted = Date.parse(seen.lastFailedAt!) - Date.parse(seen.firstFailedAt);
  return [
    `  ${seen.failed} of ${seen.requests} requests failed, from ${seen.firstFailedAt} to ${seen.lastFailedAt} (${formatDuration(lasted)})`,
  ];
}

function decisionLine({ at, kind, step, actor, reason, result }: Decision): string {
  const came = result === undefined ? '' : ` (${result})`;
  return `  ${at}  ${kind} ${step}, by ${actor} (asserted, not proven): ${reason}${came}`;
}

function approvalLines({ approvals = [], refusedApprovals = [] }: RunRecord): string[] {
  return [
    ...approvals.map(
      (made) => `  ${made.at}  ${made.step}, by ${made.actor} (${identityText(made)}): ${made.reason}`,
    ),
    ...refusedApprovals.map(
      (made) => `  ${made.at}  REFUSED: ${made.step}, by ${made.actor}: ${made.reason}; ${made.why}`,
    ),
  ];
}

function proofLine(proof: Proof & { step: string }): string {
  return `  ${proof.verdict === 'pass' ? '+' : 'x'} ${proof.step}: ${proof.name}: expected ${proof.expected}, found ${proof.actual}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ''];
}
