import type { Objectives } from '../domain/objectives.ts';
import type {
  Alarm,
  ClockPoint,
  LeftOut,
  Phase,
  PhaseRecord,
  RunRecord,
  StepRecord,
  WitnessSummary,
} from '../domain/run.ts';
import { PHASES } from '../domain/run.ts';
import type { ScriptBegin, ScriptEvent } from '../domain/script-log.ts';
import type { Tier } from '../domain/objectives.ts';
import { PHASE_BUDGETS, RECOVER_STEPS } from './recover.ts';

/** What an exported script's log says, as the history keeps runs. Pure. */

/** Nobody has signed the log: who ran the script, and what it did, is what the log says. */
const ASSERTED =
  'recovered by the exported script, without Temporal: what happened is asserted by its log, not proven by a signature';

export function recordOfScript(
  begin: ScriptBegin,
  events: readonly ScriptEvent[],
  objectives: Objectives,
): RunRecord {
  const { run, deployment, tier, from, to, point, reason, actor, configDigest, planDigest, occurred } = begin;
  const finish = of(events, 'finish')[0]!;
  const facts = of(events, 'set-facts').at(-1);
  const steps = RECOVER_STEPS.map(({ id, phase }) => stepOf(id, phase, events));
  const witness = of(events, 'witness').at(-1);
  return {
    format: 'tyk-dr/run/v1',
    run,
    runbook: 'recover',
    workflowId: `script/${deployment}`,
    deployment,
    tier: tier as Tier,
    from,
    to,
    scenario: point === 'set' ? 'corruption' : 'infrastructure',
    reason,
    actor: `${actor} (asserted, not proven)`,
    configDigest,
    planDigest,
    objectives,
    ...(facts ? { set: facts.set as NonNullable<RunRecord['set']> } : {}),
    ...(witness ? { witness: witnessOf(witness.witness, finish.at) } : {}),
    clock: clockOf(begin, steps, occurred),
    phases: PHASES.map((phase) => phaseOf(phase, steps, objectives)),
    steps,
    proofs: of(events, 'proof').map(({ step, name, verdict, expected, actual }) => ({
      ...{ step, name, verdict, expected, actual },
    })),
    exceptions: [ASSERTED, ...of(events, 'exception').map(({ text }) => text)],
    decisions: of(events, 'decision').map(({ kind, step, reason: why, at }) => ({
      ...{ kind, step, actor, reason: why, at },
    })),
    waits: [],
    alarms: alarmsOf(events),
    outcome: finish.outcome === 'ABORTED' ? 'ABORTED' : 'RECOVERED_WITH_EXCEPTIONS',
    endedAt: finish.at,
  };
}

function of<Kind extends ScriptEvent['event']>(
  events: readonly ScriptEvent[],
  kind: Kind,
): Extract<ScriptEvent, { event: Kind }>[] {
  return events.filter((event): event is Extract<ScriptEvent, { event: Kind }> => event.event === kind);
}

function stepOf(id: string, phase: Phase, events: readonly ScriptEvent[]): StepRecord {
  const starts = of(events, 'start').filter(({ step }) => step === id);
  const end = of(events, 'end').find(({ step }) => step === id);
  const leftOut = of(events, 'left-out').find(({ step }) => step === id);
  const failure = of(events, 'failed').findLast(({ step }) => step === id);
  if (leftOut) return { id, phase, state: 'not-part', calls: 0, notPartOf: leftOut.why as LeftOut };
  if (starts.length === 0) return { id, phase, state: 'pending', calls: 0 };
  return {
    id,
    phase,
    state: end ? 'done' : 'failed',
    startedAt: starts[0]!.at,
    ...(end ? { endedAt: end.at, summary: end.summary } : {}),
    calls: starts.length,
    ...(failure && !end
      ? {
          error: {
            code: 'TOOL_FAILED' as const,
            message: failure.message,
            hint: failure.hint,
            at: failure.at,
          },
        }
      : {}),
  };
}

function clockOf(begin: ScriptBegin, steps: readonly StepRecord[], occurred: string): ClockPoint[] {
  const ended = (id: string): string | undefined => steps.find((step) => step.id === id)?.endedAt;
  const restored = [ended('prove-redis'), ended('prove-database')].filter((at) => at !== undefined).sort();
  const verified = ended('prove-traffic') ?? ended('prove-analytics') ?? ended('prove-authentication');
  return [
    ...(occurred === ''
      ? []
      : [
          {
            name: 'occurred' as const,
            at: new Date(occurred).toISOString(),
            source: `said by ${begin.actor}`,
          },
        ]),
    { name: 'declared', at: begin.at, source: begin.actor },
    { name: 'started', at: begin.at, source: 'the exported script' },
    ...(restored.length === 0
      ? []
      : [{ name: 'data restored' as const, at: restored.at(-1)!, source: 'the proofs of the stores' }]),
    ...(verified === undefined
      ? []
      : [{ name: 'traffic verified' as const, at: verified, source: 'the last proof from outside' }]),
  ];
}

function phaseOf(phase: Phase, steps: readonly StepRecord[], { rtoMs }: Objectives): PhaseRecord {
  const own = steps.filter((step) => step.phase === phase);
  const started = own.flatMap(({ startedAt }) => startedAt ?? []).sort()[0];
  const ended = own
    .flatMap(({ endedAt }) => endedAt ?? [])
    .sort()
    .at(-1);
  return {
    phase,
    budgetMs: PHASE_BUDGETS[phase] * rtoMs,
    ...(started === undefined ? {} : { startedAt: started }),
    ...(ended === undefined ? {} : { endedAt: ended }),
  };
}

function alarmsOf(events: readonly ScriptEvent[]): Alarm[] {
  return events.flatMap((event) => {
    if (event.event === 'resume')
      return [{ at: event.at, text: `the script was interrupted; ${event.actor} started it again` }];
    if (event.event === 'failed')
      return [{ at: event.at, text: `${event.step || 'the script'} stopped: ${event.message}` }];
    return [];
  });
}

type Seen = Extract<ScriptEvent, { event: 'witness' }>['witness'];

/** The script counts; it draws no picture. */
function witnessOf(
  { requests, failed, from, firstFailedAt, lastFailedAt }: Seen,
  until: string,
): WitnessSummary {
  return {
    requests,
    failed,
    ...(firstFailedAt === undefined ? {} : { firstFailedAt }),
    ...(lastFailedAt === undefined ? {} : { lastFailedAt }),
    bucketMs: Math.max(1, Date.parse(until) - Date.parse(from)),
    buckets: [{ at: from, ok: requests - failed, failed }],
  };
}
