import { defineQuery, setHandler } from '@temporalio/workflow';
import { RECORD_QUERY } from '../domain/messages.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord } from '../domain/run.ts';
import { listenForApprovals } from './approvals.ts';
import { listenForDecisions } from './decisions.ts';
import { openRecord, publish, showDetails } from './run-state.ts';
import type { StepContext } from './step-context.ts';

/** How every run begins, before its first await: its record can be asked for, people are heard, and it shows. */
export function openRun(input: RecoverInput): StepContext {
  const record = openRecord(input);
  const context: StepContext = {
    input,
    record,
    epoch: Date.parse(record.clock.at(-1)!.at),
    begun: [],
    decided: new Map(),
    acceptedConfigs: [],
  };
  setHandler(defineQuery<RunRecord>(RECORD_QUERY), () => record, {
    description: 'The whole record of the run as it stands: steps, clock, proofs, decisions.',
  });
  listenForDecisions(context);
  listenForApprovals(context);
  publish(record, { phase: 'infrastructure', rto: 'within' });
  showDetails(record);
  return context;
}
