import type { RunRecord } from './run.ts';

/** The steps of a run that went red: failed, with a failed proof, or with something that must not be hidden. Pure. */
export function redOf(record: RunRecord, ids: readonly string[]): string[] {
  const { steps, proofs, exceptions, losses = [] } = record;
  return ids.filter(
    (id) =>
      steps.some((step) => step.id === id && (step.state === 'failed' || step.error !== undefined)) ||
      proofs.some(({ step, verdict }) => step === id && verdict === 'fail') ||
      exceptions.some((text) => text.startsWith(`${id}: `)) ||
      (id === 'measure-loss' && losses.some(({ notMeasured }) => notMeasured !== undefined)),
  );
}
