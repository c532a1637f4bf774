import { log } from '@temporalio/workflow';
import { redOf } from '../domain/plant-noticed.ts';
import type { RunRecord } from '../domain/run.ts';
import { tableOf, type StepId } from '../runbooks/tables.ts';
import { PLANTED } from '../runbooks/plants.ts';
import { callThrough } from './call-step.ts';
import { Abort, automaticAbort, stepError, stepInput, type StepContext } from './step-context.ts';
import { reasonOf } from './undo-step.ts';

/** The negative control of a drill: a fault in its own target, and whether it was noticed for what it is. */

/** Plants it before the step that must notice it. Never in the copy of a simulation. @throws Abort where it could not be */
export async function plantBefore(context: StepContext, id: StepId): Promise<void> {
  const { drill, workers } = context.input.plan;
  if (drill?.plant === undefined || context.isCopy || PLANTED[drill.plant].noticedBy !== id) return;
  const purpose = `Plant: ${PLANTED[drill.plant].what}`;
  const step = { id: 'plant-fault', risk: 'mutate' as const, limitMs: 120_000, purpose };
  try {
    const { summary } = await callThrough(step, workers.target, () => [stepInput(context, 'plant-fault')]);
    context.record.drill!.planted = summary;
  } catch (error) {
    const reason = `the fault ${drill.plant} could not be planted: ${reasonOf(error)}`;
    throw new Abort(automaticAbort(id, reason));
  }
}

/** What lies beside the real set goes, whatever became of the drill. */
export async function removePlant(context: StepContext): Promise<void> {
  const { drill, workers } = context.input.plan;
  if (drill?.plant !== 'truncated-object') return;
  const step = { id: 'remove-plant', risk: 'mutate' as const, limitMs: 60_000, purpose: 'Remove the fault' };
  await callThrough(step, workers.target, () => [stepInput(context, 'remove-plant')]).catch(
    (error: unknown) => {
      log.warn('what was planted could not be removed', { error: String(error) });
      context.record.exceptions.push('remove-plant: what was planted beside the set is still there');
    },
  );
}

/** A fault that nobody has noticed is the loudest finding there is, however well the rest went. */
export function judgePlant(record: RunRecord): void {
  const plant = record.drill?.plant;
  if (plant === undefined) return;
  const expected = PLANTED[plant].noticedBy;
  // It went red before, or nothing could be planted: that says nothing of the fault.
  if (record.drill!.planted === undefined) return;
  const by = redOf(
    record,
    tableOf({ drill: record.drill }).map(({ id }) => id),
  );
  const noticed = by.includes(expected);
  record.drill!.plantNoticed = { plant, expected, noticed, by };
  if (noticed || record.outcome === 'STUCK') return;
  const error = stepError('PLANT_UNNOTICED', { plant, expected });
  record.exceptions.push(`plant: ${error.message}`);
  record.error = error;
  record.outcome = 'FAILED_UNDONE';
}
