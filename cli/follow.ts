import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { jsonReport } from '../report/json.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';
import { asks, liveTable } from '../report/table.ts';
import { textReport } from '../report/text.ts';
import type { Door } from './client.ts';
import { exitDetached, exitWithOutcome } from './exit.ts';
import { currentRecord, finalRecord } from './run-record.ts';

/** Shows a run as it goes: a live table in a terminal, a line for each change elsewhere, JSON lines for machines. */

const REFRESH_MS = 400;

/** Until the run ends, or the person detaches with Ctrl-C; the run does not mind either way. */
export async function follow(door: Door, handle: WorkflowHandle, run: string, json: boolean): Promise<void> {
  const detach = new AbortController();
  const onSignal = (): void => detach.abort();
  process.once('SIGINT', onSignal);
  const show = json ? jsonLines() : process.stdout.isTTY ? redraw() : plainLines();
  try {
    const ended = finalRecord(handle);
    // It is awaited below; while we poll, its failure must not count as unhandled.
    ended.catch(() => undefined);
    let over = false;
    void ended.finally(() => (over = true)).catch(() => undefined);
    while (!over && !detach.signal.aborted) {
      const record = await currentRecord(door, handle).catch(() => undefined);
      if (record && !over) show(record);
      await sleep(REFRESH_MS, undefined, { signal: detach.signal }).catch(() => undefined);
    }
    if (detach.signal.aborted) {
      process.stderr.write(`\ndetached; the run goes on. Come back with: tyk-dr status ${run} --watch\n`);
      exitDetached();
      return;
    }
    const record = await ended;
    show(record);
    process.stdout.write(json ? `${jsonReport(record)}\n` : `\n${textReport(record)}\n`);
    process.stderr.write(`\nnext: tyk-dr report ${run} --format html > ${run}.html\n`);
    exitWithOutcome(record.outcome ?? 'STUCK');
  } finally {
    process.off('SIGINT', onSignal);
  }
}

type Show = (record: RunRecord) => void;

function redraw(): Show {
  let drawn = 0;
  return (record) => {
    const width = process.stdout.columns || 120;
    const lines = liveTable(record, Date.now()).map((line) => line.slice(0, width - 1));
    const up = drawn > 0 ? `\u001B[${drawn}A` : '';
    process.stdout.write(`${up}${lines.map((line) => `\u001B[2K${line}`).join('\n')}\n\u001B[J`);
    drawn = lines.length;
  };
}

/** One line whenever a step changes its state or a person is asked. */
function plainLines(): Show {
  const seen = new Map<string, string>();
  return (record) => {
    for (const step of record.steps) {
      if (step.state === 'pending' || step.state === 'not-part' || seen.get(step.id) === step.state) continue;
      seen.set(step.id, step.state);
      const text = step.state === 'done' ? step.summary : step.error?.message;
      process.stdout.write(
        `${changedAt(step)} ${step.phase}/${step.id} ${step.state}${text ? `: ${text}` : ''}\n`,
      );
      if (step.state === 'waiting') process.stdout.write(`${asks(record).join('\n')}\n`);
    }
  };
}

/** When the step came into its state, as the run knows it: we only looked a moment later. */
function changedAt({ state, startedAt, endedAt }: StepRecord): string {
  const known = state === 'done' ? endedAt : startedAt;
  return (state === 'waiting' ? undefined : known) ?? new Date().toISOString();
}

function jsonLines(): Show {
  const seen = new Map<string, string>();
  return (record) => {
    for (const step of record.steps) {
      if (step.state === 'pending' || seen.get(step.id) === step.state) continue;
      seen.set(step.id, step.state);
      process.stdout.write(`${JSON.stringify({ version: 1, type: 'step', run: record.run, ...step })}\n`);
    }
  };
}
