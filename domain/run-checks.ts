import { achievedRtoMs } from './clock.ts';
import { drillChecks } from './drill-checks.ts';
import { formatDuration } from './duration.ts';
import { rangeText, rpoRange, rpoVerdict } from './loss.ts';
import type { Severity } from './findings.ts';
import { OUTCOME_CLASS, type Outcome, type RunRecord } from './run.ts';
import { tabletopChecks } from './tabletop.ts';

/** What a run has shown, check by check: what it missed becomes a finding, and a later run that passes closes it. Pure. */

export interface RunCheck {
  /** The same in every run: `rto`, `proof/prove-redis/keys`, `override/start-pump`. */
  readonly check: string;
  readonly verdict: 'pass' | 'fail' | 'not-measured';
  readonly severity: Severity;
  /** What was found, for people. */
  readonly text: string;
}

const OF_OUTCOME: Readonly<Partial<Record<Outcome, Severity>>> = {
  STUCK: 'critical',
  FAILED_UNDONE: 'critical',
  ABORTED: 'high',
  REFUSED: 'high',
};

export function checksOf(record: RunRecord): RunCheck[] {
  const isRefused = record.outcome === 'REFUSED';
  const ofDrill = record.drill && !isRefused ? drillChecks(record.drill) : [];
  // Its target was broken on purpose: what failed there is no finding, and what passed there closes none. What is asked
  // of it is whether it noticed why it went red, and whether it harmed anything.
  if (record.drill?.plant !== undefined) return [...ofDrill, planted(record), ...drillMade(record)];
  // Of a run that was refused nothing else was to be seen.
  if (isRefused) return [outcome(record)];
  // Nothing was recovered: there is nothing else to be measured.
  if (record.drill?.type === 'tabletop')
    return [outcome(record), ...drillMade(record), ...tabletopChecks(record)];
  // A site that was made to follow another: nothing was down, and nothing restored.
  if (record.runbook === 'replicate')
    return [outcome(record), ...proofs(record), ...overrides(record), ...exceptions(record)];
  return [
    ...ofDrill,
    outcome(record),
    ...drillMade(record),
    rto(record),
    rpo(record),
    ...criteria(record),
    ...proofs(record),
    ...overrides(record),
    ...exceptions(record),
  ];
}

/** What closes the finding that a drill of this kind was missed, late or put off. */
function drillMade({ drill, outcome: ended, run }: RunRecord): RunCheck[] {
  const good = ended !== undefined && ['recovered', 'exceptions'].includes(OUTCOME_CLASS[ended]);
  if (!drill || !(good || drill.plantNoticed?.noticed)) return [];
  return [
    {
      ...{ check: `drill/${drill.type}`, verdict: 'pass', severity: 'low' },
      text: `a ${drill.type} drill was made: ${run}`,
    },
  ];
}

function planted({ drill, outcome: ended }: RunRecord): RunCheck {
  const { plant, plantNoticed: seen } = drill!;
  const text = !seen
    ? `the fault ${plant} was not planted: the drill ended ${ended} before`
    : seen.noticed
      ? `the planted fault ${plant} was noticed by ${seen.expected}`
      : `THE PLANTED FAULT ${plant} WAS NOT NOTICED by ${seen.expected}${seen.by.length > 0 ? `; red was ${seen.by.join(', ')}` : ''}`;
  return {
    ...{ check: `plant/${plant}`, text, severity: 'critical' },
    verdict: seen ? (seen.noticed ? 'pass' : 'fail') : 'not-measured',
  };
}

function outcome({ outcome: ended, error }: RunRecord): RunCheck {
  const severity = ended && OF_OUTCOME[ended];
  return {
    check: 'outcome',
    verdict: severity === undefined ? 'pass' : 'fail',
    severity: severity ?? 'low',
    text: `the run ended ${ended ?? 'without an outcome'}${error ? `: ${error.message.split('\n')[0]}` : ''}`,
  };
}

function rto({ clock, objectives }: RunRecord): RunCheck {
  const achieved = achievedRtoMs(clock);
  const met = achieved !== undefined && achieved <= objectives.rtoMs;
  const took = achieved === undefined ? 'was not reached' : `took ${formatDuration(achieved)}`;
  return {
    ...{ check: 'rto', verdict: met ? 'pass' : 'fail', severity: 'high' },
    text: `the recovery ${took}, the RTO is ${formatDuration(objectives.rtoMs)}`,
  };
}

/** What may have been lost beyond the objective is not shown to be within it. */
function rpo({ losses, objectives }: RunRecord): RunCheck {
  const verdict = rpoVerdict(losses, objectives.rpoMs);
  const range = rpoRange(losses);
  const lost = range ? `${rangeText(range)} of data were lost` : 'the loss of data was not measured';
  return {
    check: 'rpo',
    verdict: verdict === 'met' ? 'pass' : verdict === 'missed' ? 'fail' : 'not-measured',
    severity: verdict === 'missed' ? 'high' : 'medium',
    text: `${lost}, the RPO is ${formatDuration(objectives.rpoMs)}`,
  };
}

/** Those that no other check says already, one by one. */
function criteria({ criteria: judged = [] }: RunRecord): RunCheck[] {
  return judged
    .filter(({ id }) => id !== 'recovery-time' && id !== 'data-loss')
    .map(({ id, verdict, limit, found }) => ({
      check: `criterion/${id}`,
      verdict,
      severity: verdict === 'fail' ? 'high' : id === 'security' ? 'medium' : 'low',
      text: verdict === 'fail' ? `${id}: expected ${limit}, found ${found}` : `${id} (${limit}): ${found}`,
    }));
}

function proofs(record: RunRecord): RunCheck[] {
  return record.proofs.map(({ step, name, verdict, expected, actual }) => ({
    // A count in its name changes from run to run; the check is the same.
    check: `proof/${step}/${name.replace(/ \(\d+\)$/, '')}`,
    verdict,
    severity: verdict === 'not-measured' ? 'low' : 'high',
    text:
      verdict === 'not-measured' ? `${name}: ${actual}` : `${name}: expected ${expected}, found ${actual}`,
  }));
}

function overrides({ steps, decisions }: RunRecord): RunCheck[] {
  return steps.flatMap(({ id, state }): RunCheck[] => {
    const check = `override/${id}`;
    if (state === 'done')
      return [{ check, verdict: 'pass', severity: 'medium', text: `${id} was done by tyk-dr` }];
    if (state !== 'skipped' && state !== 'by-hand') return [];
    const why = decisions.filter(({ step }) => step.split(', ').includes(id)).at(-1);
    const said = why ? `, by ${why.actor}: ${why.reason}` : '';
    return [
      {
        ...{ check, verdict: 'fail', severity: 'medium' },
        text: `${id} was ${state === 'skipped' ? 'skipped' : 'made by hand'}${said}`,
      },
    ];
  });
}

/** By the step that an exception names first. A step that went well without one has passed. */
function exceptions({ exceptions: texts, steps }: RunRecord): RunCheck[] {
  const found = new Map<string, string[]>();
  for (const text of texts) {
    // A check of its own says it.
    if (text.startsWith('criterion ')) continue;
    const step = text.split(':')[0]!;
    const about = steps.some(({ id }) => id === step) ? step : 'run';
    found.set(about, [...(found.get(about) ?? []), text]);
  }
  const names = [
    'run',
    ...steps.filter(({ state }) => state === 'done').map(({ id }) => id),
    ...found.keys(),
  ];
  return [...new Set(names)].map((about) => {
    const own = found.get(about);
    return {
      ...{ check: `exception/${about}`, verdict: own ? 'fail' : 'pass', severity: 'medium' },
      text: own?.join('; ') ?? 'no exception',
    };
  });
}
