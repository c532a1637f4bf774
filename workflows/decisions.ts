import { defineUpdate, setHandler, ApplicationFailure } from '@temporalio/workflow';
import { DrError } from '../domain/errors.ts';
import { DECISIONS, type DecisionArgs, type DecisionKind } from '../domain/messages.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';
import { now } from './run-state.ts';
import type { StepContext } from './step-context.ts';

/** The decisions that a person may take on a live run, as updates: from the CLI and from the Temporal UI alike. */

const DESCRIPTIONS: Readonly<Record<DecisionKind, string>> = {
  retry:
    'Call the waiting step again. Argument: {"actor":"NAME","reason":"WHY","step":"STEP, or leave it out for all"}',
  abort:
    'Give the run up: stop and undo the target, leave the traffic. Argument: {"actor":"NAME","reason":"WHY"}',
  confirm:
    'Assert that the source site cannot write although we could not fence it. Argument: {"actor":"NAME","reason":"WHY"}',
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

/** Applies a decision to every waiting step that it means. The caller has validated it. */
function decide(context: StepContext, kind: DecisionKind, args: DecisionArgs): string {
  const rows = waitingRows(context.record, args.step);
  const decision = { kind, actor: args.actor, reason: args.reason, at: now() };
  const meant = rows.map((row) => row.id);
  context.record.decisions.push({ ...decision, step: meant.join(', ') || 'the run' });
  if (kind === 'abort') {
    context.abort = { ...decision, step: meant.join(', ') || 'the run' };
    return context.begun.length > 0
      ? 'aborting: the target is stopped and undone'
      : 'aborting: nothing has been changed';
  }
  for (const row of rows) {
    if (kind === 'retry') row.state = 'running';
    if (kind === 'confirm' && row.error?.code === 'NOT_FENCED') {
      row.state = 'done';
      row.summary = `not fenced by us; asserted by ${args.actor}: ${args.reason}; it is fenced when its worker answers again`;
      context.record.exceptions.push(`${row.id}: ${row.summary}`);
    }
  }
  return `${kind}: ${meant.join(', ')}`;
}

/** Why a decision cannot be taken now; undefined where it can. Synchronous: it validates updates. */
function objection(context: StepContext, kind: DecisionKind, args: DecisionArgs): DrError | undefined {
  if (!args?.reason?.trim()) {
    return new DrError('BAD_ARGUMENT', {
      argument: 'reason',
      value: '',
      expected: 'a sentence that says why',
    });
  }
  if (!args.actor?.trim()) {
    return new DrError('BAD_ARGUMENT', { argument: 'actor', value: '', expected: 'the name of who decides' });
  }
  if (kind === 'abort') return undefined;
  const rows = waitingRows(context.record, args.step);
  const fitting = kind === 'confirm' ? rows.filter((row) => row.error?.code === 'NOT_FENCED') : rows;
  if (fitting.length > 0) return undefined;
  const state = context.record.steps.find((step) => step.state === 'running' || step.state === 'waiting');
  return new DrError('NOTHING_TO_DECIDE', {
    run: context.record.run,
    decision: kind,
    state: state ? `at ${state.id}, ${state.state}` : (context.record.outcome ?? 'between steps'),
  });
}

function waitingRows(record: RunRecord, step: string | undefined): StepRecord[] {
  return record.steps.filter((row) => row.state === 'waiting' && (step === undefined || row.id === step));
}
