import { neededText, type NeededApproval } from '../domain/approvals.ts';
import type { Choice } from '../domain/decision.ts';
import { isAboutLag, otherWayText } from '../domain/failover.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';

/** What a person must do now, with what they need to decide it and the command to type. Pure. */

export function asks(record: RunRecord): string[] {
  if (record.outcome) return [];
  return [
    ...pausedLines(record),
    ...record.steps.flatMap((step) => {
      if (step.needsApproval) return approvalLines(record, step, step.needsApproval);
      if (step.state === 'waiting') return decisionLines(record, step);
      return step.waitsFor !== undefined && step.state === 'running'
        ? [`  ! ${step.id} waits for ${step.waitsFor}; it goes on by itself when the worker is back`]
        : [];
    }),
  ];
}

function pausedLines({ paused, run }: RunRecord): string[] {
  if (!paused) return [];
  return [
    `  ! paused by ${paused.actor} at ${paused.at}: ${paused.reason}; no further step begins`,
    `      tyk-dr resume ${run} --reason "..."`,
  ];
}

function approvalLines(record: RunRecord, { id }: StepRecord, needed: NeededApproval): string[] {
  const given = (record.approvals ?? []).filter(({ step }) => step === id);
  const by =
    given.length > 0 ? `, ${given.length} given by ${given.map(({ actor }) => actor).join(', ')}` : '';
  const then = needed.onTimeout === 'abort' ? 'the run is given up' : 'the alarm is raised';
  return [
    `  ! ${id} waits for ${neededText(needed)}${by}; ${record.actor}, who has started the run, does not count`,
    `    at ${needed.dueAt} ${then}; what is approved is plan ${record.planDigest.slice(0, 16)}`,
    `      tyk-dr approve ${record.run} ${id} --reason "..."`,
    `      tyk-dr abort ${record.run} --reason "..."`,
  ];
}

type Explained = Exclude<Choice, 'confirm' | 'divert'>;

const COMMANDS: Readonly<Record<Explained, (run: string, step: string) => string>> = {
  retry: (run) => `tyk-dr retry ${run} --reason "..."`,
  skip: (run, step) => `tyk-dr skip ${run} ${step} --reason "..."   (go on without it; an exception)`,
  done: (run, step) => `tyk-dr done ${run} ${step} --reason "..."   (you have made it by hand; an exception)`,
  undo: (run, step) =>
    `tyk-dr undo ${run} ${step} --reason "..."   (take its effect back, then decide again)`,
  abort: (run) => `tyk-dr abort ${run} --reason "..."`,
};

function commandOf(choice: Choice, { run, otherwise }: RunRecord, { id, error }: StepRecord): string {
  if (choice === 'divert')
    return `tyk-dr divert ${run} --reason "..."   (${otherWayText(otherwise!)} instead, as ${otherwise!.run})`;
  if (choice !== 'confirm') return COMMANDS[choice](run, id);
  const what = isAboutLag(error!.code) ? 'go on, and lose that' : 'the site cannot write, you know it';
  return `tyk-dr confirm ${run} --reason "..."   (${what}; an exception)`;
}

function decisionLines(record: RunRecord, step: StepRecord): string[] {
  const { run } = record;
  const { id, error, choices = ['retry', 'abort'] } = step;
  const accept =
    error?.code === 'CONFIG_DRIFT'
      ? [
          `      tyk-dr retry ${run} --accept-config DIGEST --reason "..."   (that configuration shall do; an exception)`,
        ]
      : [];
  return [
    `  ! ${id} has failed: ${error?.message ?? ''}`,
    `    hint: ${error?.hint ?? ''}`,
    ...outputLines(error?.output),
    '    decide with one of',
    ...choices.map((choice) => `      ${commandOf(choice, record, step)}`),
    ...accept,
  ];
}

/** What the tool said last, set off from our own words. */
export function outputLines(output: string | undefined): string[] {
  return output
    ? ['    the last lines of its output:', ...output.split('\n').map((line) => `    | ${line}`)]
    : [];
}
