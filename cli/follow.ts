import type { WorkflowHandle } from '@temporalio/client';
import { jsonResultLine } from '../report/json.ts';
import { hasEnded, type RunRecord, type StepRecord } from '../domain/run.ts';
import { asks } from '../report/asks.ts';
import type { People } from '../report/people.ts';
import { textReport } from '../report/text.ts';
import type { Door } from './client.ts';
import { exitWithWorst } from './exit.ts';
import { liveScreen } from './live-screen.ts';
import { recordOfExecution, runState } from './run-record.ts';
import { watch } from './watch.ts';

/** Shows a run as it goes: a live table in a terminal, a line for each change elsewhere, JSON lines for machines. */

export interface Display {
  show(record: RunRecord): void;
  /** About the following itself: the record says nothing of it. */
  notice(text: string): void;
  /** The whole story, once it is over. */
  end(record: RunRecord): void;
}

/** Whom to call about a run. */
export type PeopleOf = (record: RunRecord) => People | undefined;

/** Until the run ends, or the person detaches with Ctrl-C; the run does not mind either way. */
export async function follow(door: Door, handle: WorkflowHandle, run: string, json: boolean): Promise<void> {
  const people: PeopleOf = ({ deployment }) => door.config.deployments[deployment];
  const display = json ? jsonLines() : process.stdout.isTTY ? liveScreen(people) : plainLines(people);
  let missed = '';
  let shown = { run, executionId: '' };
  const last = await watch({
    what: 'the run',
    back: `tyk-dr status ${run} --watch`,
    async look() {
      const state = await runState(door, handle);
      if (state.record && state.record.run !== shown.run && shown.executionId !== '') {
        const earlier = await recordOfExecution(door, handle.workflowId, shown.executionId);
        if (earlier) display.end(earlier);
        display.notice(`${shown.run} has ended; ${state.record.run} goes on from it`);
      }
      shown = { run: state.record?.run ?? shown.run, executionId: state.executionId };
      return { state, ended: state.ended };
    },
    show: ({ record, missing }) => {
      if (record) display.show(record);
      const queues = missing.map(({ queue }) => queue).join();
      // Once when it is missed; the table of a terminal is drawn anew and shows it as long as it is.
      if (queues !== missed || (queues !== '' && process.stdout.isTTY && !json))
        display.notice(
          missing.map(({ text, start }) => `${text}; start it on its host: ${start}`).join('; ') ||
            'the worker is back',
        );
      missed = queues;
    },
    answered: ({ record }) => record !== undefined,
    notice: (text) => display.notice(text),
  });
  if (last?.record === undefined) return;
  display.end(last.record);
  const { record } = last;
  process.stderr.write(`\nnext: tyk-dr report ${record.run} --format html > ${record.run}.html\n`);
  exitWithWorst([...(record.earlier ?? []).map(({ outcome }) => outcome), record.outcome ?? 'STUCK']);
}

/** One line whenever a step changes its state or a person is asked. */
function plainLines(people: PeopleOf): Display {
  const changed = changes();
  return {
    show(record) {
      for (const step of changed(record)) {
        if (step.state === 'not-part') continue;
        const text = hasEnded(step) ? step.summary : (step.error?.message ?? step.waitsFor);
        process.stdout.write(
          `${changedAt(step)} ${step.phase}/${step.id} ${step.state}${text ? `: ${text}` : ''}\n`,
        );
        if (step.state === 'waiting') process.stdout.write(`${asks(record).join('\n')}\n`);
      }
    },
    notice,
    end: (record) => process.stdout.write(`\n${textReport(record, people(record))}\n`),
  };
}

function jsonLines(): Display {
  const changed = changes();
  return {
    show(record) {
      for (const step of changed(record))
        process.stdout.write(`${JSON.stringify({ version: 1, type: 'step', run: record.run, ...step })}\n`);
    },
    notice,
    end: (record) => process.stdout.write(`${jsonResultLine(record)}\n`),
  };
}

function notice(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

/** The steps whose state, or what they wait for, is another one than last time; pending ones have said nothing yet. */
function changes(): (record: RunRecord) => StepRecord[] {
  const seen = new Map<string, string>();
  return (record) =>
    record.steps.filter((step) => {
      const now = `${step.state} ${step.waitsFor ?? ''}`;
      // One run may go on from another, with steps of the same name.
      const key = `${record.run} ${step.id}`;
      if (step.state === 'pending' || seen.get(key) === now) return false;
      seen.set(key, now);
      return true;
    });
}

/** When the step came into its state, as the run knows it: we only looked a moment later. */
function changedAt({ state, startedAt, endedAt, waitsFor }: StepRecord): string {
  if (state === 'waiting' || waitsFor !== undefined) return new Date().toISOString();
  return (state === 'running' ? startedAt : endedAt) ?? new Date().toISOString();
}
