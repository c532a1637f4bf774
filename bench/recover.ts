import { findRun, withDoor } from '../cli/client.ts';
import { currentRecord } from '../cli/run-record.ts';
import { clockPoint } from '../domain/clock.ts';
import type { ClockPointName, RunRecord } from '../domain/run.ts';
import { configFile, type Lab } from '../lab/layout.ts';
import { orchestrationOf, type Orchestration } from './orchestration.ts';
import { requireComplete, type Truth } from './truth.ts';
import { tykDr } from './tyk-dr.ts';
import { withPeaks, type Peaks } from './worker-memory.ts';

/** (b): `tyk-dr`, as its users call it. */

export interface RecoverRun {
  /** From the command's start to both stores serving, proven. */
  readonly dataMs: number;
  /** From the command's start to the traffic proven. */
  readonly verifiedMs: number;
  /** From the end of claim-target to both stores serving, proven: the redis and database phases. */
  readonly phasesMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  readonly orchestration: Orchestration;
  readonly peakBytes: Peaks;
}

export async function recoverByTykDr(lab: Lab, truth: Truth): Promise<RecoverRun> {
  const startedAt = Date.now();
  const { peakBytes } = await withPeaks(lab, () =>
    tykDr(lab, [
      ...['recover', lab.deployment, '--to', 'dr', '--occurred', new Date(startedAt).toISOString()],
      ...['--on-failure', 'abort', '--reason', 'bench'],
    ]),
  );
  await requireComplete(lab, truth);
  const { record, orchestration } = await recordOf(lab);
  const at = (name: ClockPointName): number => Date.parse(clockPoint(record.clock, name)!.at);
  return {
    dataMs: at('data restored') - startedAt,
    verifiedMs: at('traffic verified') - startedAt,
    phasesMs:
      at('data restored') - Date.parse(record.steps.find(({ id }) => id === 'claim-target')!.endedAt!),
    stepsMs: stepTimes(record),
    orchestration,
    peakBytes,
  };
}

/** A recovery; what each of its steps took, in milliseconds. */
export async function stepsOfRecovery(lab: Lab): Promise<Readonly<Record<string, number>>> {
  await tykDr(lab, ['recover', lab.deployment, '--to', 'dr', '--on-failure', 'abort', '--reason', 'bench']);
  return stepTimes((await recordOf(lab)).record);
}

async function recordOf(lab: Lab): Promise<{ record: RunRecord; orchestration: Orchestration }> {
  return withDoor(configFile(lab), async (door) => {
    const handle = await findRun(door, lab.deployment);
    const record = (await currentRecord(door, handle))!;
    return { record, orchestration: orchestrationOf((await handle.fetchHistory()).events!) };
  });
}

function stepTimes(record: RunRecord): Record<string, number> {
  return Object.fromEntries(
    record.steps.flatMap(({ id, startedAt, endedAt }) =>
      startedAt && endedAt ? [[id, Date.parse(endedAt) - Date.parse(startedAt)]] : [],
    ),
  );
}
