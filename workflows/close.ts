import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
} from '@temporalio/workflow';
import type { Outcome, RunRecord } from '../domain/run.ts';
import { tableOf } from '../runbooks/tables.ts';
import { CallFailure, callThrough } from './call-step.ts';
import { enterPhase, leavePhase, now, publish, showDetails, stepRecord } from './run-state.ts';
import { stepInput, type StepContext } from './step-context.ts';

/** The end of every run: its record is kept, its outcome shown, and given back as a result or as a failure. */

export async function close(context: StepContext): Promise<RunRecord> {
  const { record } = context;
  record.endedAt = now();
  const recovered = ENDED_WELL.includes(record.outcome!);
  // A refused recovery has changed nothing, not even the repository; of a drill it is what was to be found out.
  if (record.outcome !== 'REFUSED' || record.drill)
    await CancellationScope.nonCancellable(() => writeRecord(context));
  publish(record, { outcome: record.outcome!, phase: 'ended' });
  showDetails(record);
  await condition(allHandlersFinished);
  if (recovered || goesAnotherWay(context)) return record;
  throw ApplicationFailure.create({
    message: record.error?.message ?? record.outcome!,
    type: record.outcome!,
    nonRetryable: true,
    details: [record],
  });
}

/** Somebody has decided so: what comes of it is the story of the next run. */
export const goesAnotherWay = ({ abort, record }: StepContext): boolean =>
  abort?.kind === 'divert' && record.outcome !== 'RECOVERED_WITH_EXCEPTIONS';

const ENDED_WELL: readonly Outcome[] = [
  'RECOVERED',
  'RECOVERED_WITH_EXCEPTIONS',
  'REPLICATED',
  'REPLICATED_WITH_EXCEPTIONS',
];

/** Once and without asking anybody: a record that cannot be written must not keep a recovered run open. */
async function writeRecord(context: StepContext): Promise<void> {
  const { record, input } = context;
  const row = stepRecord(record, 'write-record');
  const step = tableOf(input.plan).find(({ id }) => id === 'write-record')!;
  Object.assign(row, { state: 'running', startedAt: now(), calls: 1 });
  enterPhase(record, step.phase);
  try {
    const args = () => [stepInput(context, step.id), structuredCopy(record)];
    row.summary = (await callThrough(step, input.plan.workers[step.where] ?? [], args)).summary;
    row.state = 'done';
  } catch (error) {
    row.state = 'failed';
    row.summary = `the record is only in Temporal: ${causeOf(error)}`;
    if (record.outcome === 'RECOVERED') record.outcome = 'RECOVERED_WITH_EXCEPTIONS';
    if (record.outcome === 'REPLICATED') record.outcome = 'REPLICATED_WITH_EXCEPTIONS';
    record.exceptions.push(`write-record: ${row.summary}`);
  }
  row.endedAt = now();
  leavePhase(record, step.phase);
}

function causeOf(error: unknown): string {
  const failure = error instanceof CallFailure ? error.cause : error;
  return failure instanceof ActivityFailure ? (failure.cause?.message ?? failure.message) : String(failure);
}

/** The record as it will stand once it is written: the row that writes it cannot see its own end. */
function structuredCopy(record: RunRecord): RunRecord {
  const copy = JSON.parse(JSON.stringify(record)) as RunRecord;
  const row = stepRecord(copy, 'write-record');
  Object.assign(row, { state: 'done', startedAt: now(), endedAt: now(), calls: 1, summary: 'this record' });
  return copy;
}
