import { defineUpdate, setHandler, ApplicationFailure } from '@temporalio/workflow';
import {
  CHOICES,
  DECISIONS,
  whoAndWhyProblem,
  type Choice,
  type Decision,
  type DecisionArgs,
  type DecisionKind,
} from '../domain/decision.ts';
import { DrError } from '../domain/errors.ts';
import { isAboutLag, otherWayText } from '../domain/failover.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';
import { now, publish, showDetails } from './run-state.ts';
import type { StepContext } from './step-context.ts';

/** The decisions that a person may take on a live run, as updates: from the CLI and from the Temporal UI alike. */

const WHO = '"actor":"NAME","reason":"WHY"';
const DESCRIPTIONS: Readonly<Record<DecisionKind, string>> = {
  retry: `Call the waiting step again; it looks at its effect first. Argument: {${WHO},"step":"STEP, or leave it out for all"}. Where a worker has another configuration and it shall do: "acceptConfig":"DIGEST"`,
  skip: `Go on without the waiting step: it counts as an exception. Argument: {${WHO},"step":"prove-analytics"}`,
  done: `The waiting step was made by hand: go on; a later step shows whether it was. Argument: {${WHO},"step":"start-redis"}`,
  undo: `Take back what the waiting step did, then wait again. Argument: {${WHO},"step":"restore-redis-data"}`,
  confirm: `Assert that the source site cannot write although we could not fence it; or take the loss of a standby that is behind. Argument: {${WHO}}`,
  divert: `Go the next way that the plan names, under the same lock: what this run did to the target is stopped and undone. Argument: {${WHO}}`,
  abort: `Give the run up: stop and undo the target, leave the traffic. Argument: {${WHO}}`,
  pause: `Begin no further step; those that run go on to their end. Argument: {${WHO}}`,
  resume: `Go on after a pause. Argument: {${WHO}}`,
};

/** Call before the first await, so that a decision can never arrive too early. */
export function listenForDecisions(context: StepContext): void {
  for (const kind of DECISIONS) {
    setHandler(
      defineUpdate<string, [DecisionArgs]>(kind),
      (args: DecisionArgs) => decide(context, kind, args),
      {
        description: DESCRIPTIONS[kind],
        validator: (args: DecisionArgs) => {
          const refused = objection(context, kind, args);
          if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.code);
        },
      },
    );
  }
}

/** Takes effect at once, before any other update is looked at: of two people the first counts. The caller has validated it. */
function decide(context: StepContext, kind: DecisionKind, args: DecisionArgs): string {
  const { record } = context;
  const rows = isChoice(kind) && kind !== 'abort' ? fitting(record, kind, args.step) : [];
  const meant = rows.map((row) => row.id).join(', ') || 'the run';
  const decision: Decision = { kind, step: meant, actor: args.actor, reason: args.reason, at: now() };
  record.decisions.push(decision);
  if (args.acceptConfig !== undefined) acceptConfig(context, args);
  for (const row of rows) {
    context.decided.set(row.id, decision as Decision & { kind: Choice });
    apply(record, row, decision);
  }
  if (kind === 'pause') record.paused = decision;
  if (kind === 'resume') delete record.paused;
  if (kind === 'abort' || kind === 'divert') context.abort ??= decision;
  publish(record, {});
  showDetails(record);
  if (kind === 'divert')
    return `divert: ${record.otherwise!.run} goes on: ${otherWayText(record.otherwise!)}`;
  if (kind !== 'abort') return `${kind}: ${meant}${AFTERWARDS[kind] ?? ''}`;
  return context.begun.length > 0
    ? 'aborting: the target is stopped and undone'
    : 'aborting: nothing has been changed';
}

const AFTERWARDS: Readonly<Partial<Record<DecisionKind, string>>> = {
  undo: '; status shows what came of it',
  pause: '; what runs now goes on to its end, nothing further begins',
};

function apply(record: RunRecord, row: StepRecord, { kind, actor, reason }: Decision): void {
  const except = (state: StepRecord['state'], summary: string): void => {
    row.state = state;
    row.summary = summary;
    record.exceptions.push(`${row.id}: ${summary}`);
  };
  if (kind === 'retry' || kind === 'undo') row.state = 'running';
  if (kind === 'skip') except('skipped', `skipped by ${actor}: ${reason}`);
  if (kind === 'done') except('by-hand', `made by hand, says ${actor}: ${reason}`);
  if (kind === 'confirm' && isAboutLag(row.error!.code))
    except('done', `${row.error!.message}; ${actor} takes that: ${reason}`);
  else if (kind === 'confirm')
    except(
      'done',
      `not fenced by us; asserted by ${actor}: ${reason}; it is fenced when its worker answers again`,
    );
}

function acceptConfig(context: StepContext, { acceptConfig: digits, actor, reason }: DecisionArgs): void {
  context.acceptedConfigs.push(digits!);
  const planned = context.input.configDigest.slice(0, 12);
  context.record.exceptions.push(
    `configuration ${digits} was accepted beside the plan's ${planned}, by ${actor}: ${reason}`,
  );
}

/** Why a decision cannot be taken now; undefined where it can. Synchronous: it validates updates. */
function objection(context: StepContext, kind: DecisionKind, args: DecisionArgs): DrError | undefined {
  const problem = whoAndWhyProblem(args);
  if (problem) return new DrError('BAD_ARGUMENT', { ...problem });
  const { record } = context;
  if (record.outcome !== undefined) return nothingToDecide(record, kind);
  switch (kind) {
    case 'pause':
      return record.paused && alreadyDecided(record, kind, record.paused);
    case 'resume':
      return record.paused ? undefined : (lateComer(record, kind) ?? nothingToDecide(record, kind));
    case 'abort':
      return context.abort && alreadyDecided(record, kind, context.abort);
    default:
      return objectionToChoice(context, kind, args);
  }
}

function objectionToChoice(context: StepContext, kind: Choice, args: DecisionArgs): DrError | undefined {
  const { record } = context;
  const { step } = args;
  if (step !== undefined && !record.steps.some(({ id }) => id === step)) {
    const asked = waiting(record).map(({ id }) => id);
    return new DrError('BAD_ARGUMENT', {
      argument: 'step',
      value: step,
      expected: asked.length > 0 ? `a waiting step: ${asked.join(', ')}` : 'the id of a step of this run',
    });
  }
  const rows = fitting(record, kind, step);
  const asked = waiting(record, step);
  if (rows.length === 0) {
    const [first] = asked;
    if (!first) return lateComer(record, kind, step) ?? nothingToDecide(record, kind);
    return new DrError('CHOICE_NOT_OFFERED', {
      run: record.run,
      decision: kind,
      step: first.id,
      choices: first.choices!.join(', '),
    });
  }
  // Each of these is about one effect: nobody should decide about two of them by leaving out a word.
  if (rows.length > 1 && kind !== 'retry')
    return new DrError('BAD_ARGUMENT', {
      argument: 'step',
      value: 'missing',
      expected: `one of ${rows.map(({ id }) => id).join(', ')}`,
    });
  return args.acceptConfig === undefined ? undefined : objectionToConfig(kind, args.acceptConfig, rows);
}

function objectionToConfig(
  kind: DecisionKind,
  digits: string,
  rows: readonly StepRecord[],
): DrError | undefined {
  const drifted = kind === 'retry' && rows.every(({ error }) => error?.code === 'CONFIG_DRIFT');
  if (drifted && typeof digits === 'string' && /^[0-9a-f]{12,64}$/.test(digits)) return undefined;
  return new DrError('BAD_ARGUMENT', {
    argument: 'acceptConfig',
    value: String(digits),
    expected: drifted
      ? 'the digest that the error names: 12 to 64 hexadecimal digits'
      : 'none: only with the retry of a step that waits because a worker has another configuration',
  });
}

function isChoice(kind: DecisionKind): kind is Choice {
  return (CHOICES as readonly string[]).includes(kind);
}

function waiting(record: RunRecord, step?: string): StepRecord[] {
  return record.steps.filter(
    (row) => row.state === 'waiting' && row.choices && (step === undefined || row.id === step),
  );
}

function fitting(record: RunRecord, kind: Choice, step: string | undefined): StepRecord[] {
  return waiting(record, step).filter(({ choices }) => choices!.includes(kind));
}

/** Somebody else was first: the second is told who, and what. */
function lateComer(record: RunRecord, kind: DecisionKind, step?: string): DrError | undefined {
  const rivals: readonly string[] = kind === 'resume' ? ['resume'] : CHOICES;
  const first = record.decisions.findLast(
    (made) => rivals.includes(made.kind) && (step === undefined || made.step.split(', ').includes(step)),
  );
  return first && alreadyDecided(record, kind, first);
}

function alreadyDecided(record: RunRecord, decision: DecisionKind, first: Decision): DrError {
  const { actor, kind, step, at, reason } = first;
  const state = stateOf(record);
  return new DrError('ALREADY_DECIDED', { run: record.run, decision, actor, kind, step, at, reason, state });
}

function nothingToDecide(record: RunRecord, decision: DecisionKind): DrError {
  return new DrError('NOTHING_TO_DECIDE', { run: record.run, decision, state: stateOf(record) });
}

function stateOf(record: RunRecord): string {
  const state = record.steps.find((step) => step.state === 'running' || step.state === 'waiting');
  if (!state) return record.outcome ?? 'between steps';
  return `at ${state.id}, ${state.state}${state.needsApproval ? ` for ${state.waitsFor}` : ''}`;
}
