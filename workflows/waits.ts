import { condition, log } from '@temporalio/workflow';
import type { Wait } from '../domain/decision.ts';
import type { RunRecord } from '../domain/run.ts';
import { now, publish, showDetails } from './run-state.ts';
import { giveUpIfAborted, type StepContext } from './step-context.ts';

/**
 * The moments at which a run begins and ceases to wait for people. Whoever is to be told of them is told from here.
 */

export function openWait(record: RunRecord, kind: NonNullable<Wait['kind']>, what: string): Wait {
  const wait: Wait = { kind, for: what, from: now() };
  record.waits.push(wait);
  log.error(`the run waits for ${kind === 'pause' ? 'a resume' : `a person: ${what}`}`);
  publish(record, {});
  showDetails(record);
  return wait;
}

export function closeWait(record: RunRecord, wait: Wait): void {
  wait.until = now();
  publish(record, {});
  showDetails(record);
}

/** Nobody has answered in time: the alarm is raised, and the run waits on. */
export function escalateWait(record: RunRecord, wait: Wait, text: string): void {
  wait.escalatedAt = now();
  record.alarms.push({ at: now(), text: `escalated: ${text}` });
  log.error(`escalated: ${text}`, { run: record.run });
  publish(record, {});
  showDetails(record);
}

/** The border of a step: while the run is paused nothing begins behind it. @throws Abort */
export async function untilResumed(context: StepContext, step: string): Promise<void> {
  const { record } = context;
  if (record.paused === undefined) return;
  const wait = openWait(record, 'pause', `resume, before ${step}`);
  try {
    await condition(() => record.paused === undefined || context.abort !== undefined);
  } finally {
    closeWait(record, wait);
  }
  giveUpIfAborted(context);
}
