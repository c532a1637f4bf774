import { setTimeout as sleep } from 'node:timers/promises';
import type { DecisionArgs, DecisionKind } from '../../../domain/decision.ts';
import { lockId } from '../../../domain/messages.ts';
import type { RunSummary } from '../../../domain/run-summary.ts';
import type { TestLab } from '../../harness/lab.ts';
import type { Cell } from './cells.ts';
import type { Keeper } from './keeper.ts';

/**
 * The person before a run that waits, and what dies around their decision: while it is waited for, or between the
 * moment in which it was taken and its effect.
 */

const POLL_MS = 20;

export async function decideThrough(
  lab: TestLab,
  keeper: Keeper,
  cell: Cell,
  run: AbortSignal,
): Promise<void> {
  const { fault, held, word, moment } = cell;
  const step = cell.step!.id;
  const decided = moment.endsWith('decided');
  const strike = (): Promise<void> =>
    moment.startsWith('worker') ? keeper.killWorkers() : keeper.killTemporal();
  const say = (kind: DecisionKind): Promise<void> => sayTo(lab, kind, step, run);

  if (!(await keeper.comes(fault, run))) return;
  if (word === 'pause') {
    await say('pause');
    // It is under way still; no further step may begin behind it, whoever has died.
    if (decided) await strike();
    await keeper.letGo(fault);
  }
  if (!(await waits(lab, cell, run))) return;
  if (!decided) await strike();
  await say(word === 'pause' ? 'resume' : word!);
  if (decided) {
    if (held !== undefined && !(await keeper.comes(held, run))) return;
    await strike();
    if (held !== undefined) await keeper.letGo(held);
  }
  if (word === 'undo' && (await waits(lab, cell, run))) await say('retry');
}

/** What a person says for each cell, in the record of the run. */
export function decisionsOf({ word, step }: Cell): string[] {
  if (word === undefined) return [];
  if (word === 'pause') return ['pause the run', 'resume the run'];
  return word === 'undo' ? [`undo ${step!.id}`, `retry ${step!.id}`] : [`${word} ${step!.id}`];
}

/** Whether it has come to wait for the person, as its own notes say, also while no worker lives. */
async function waits(lab: TestLab, { step, word }: Cell, run: AbortSignal): Promise<boolean> {
  for (; !run.aborted; await sleep(POLL_MS)) {
    const summary = await summaryOf(lab).catch(() => undefined);
    if (!summary) continue;
    const paused = summary.waits.some(({ kind, until }) => kind === 'pause' && until === undefined);
    const asked = summary.waiting.some((each) => each.who === 'person' && each.step === step!.id);
    if (word === 'pause' ? paused : asked) return true;
  }
  return false;
}

async function summaryOf(lab: TestLab): Promise<RunSummary | undefined> {
  const { memo } = await lab.withClient((client) => client.workflow.getHandle(lockId('acme')).describe());
  return memo?.['summary'] as RunSummary | undefined;
}

/** Where an answer was lost with the server it came from, it is asked for again; a decision counts once. */
async function sayTo(lab: TestLab, kind: DecisionKind, step: string, run: AbortSignal): Promise<void> {
  const about = kind === 'pause' || kind === 'resume' ? {} : { step };
  const args: [DecisionArgs] = [{ actor: 'a tester', reason: 'the crash matrix', ...about }];
  for (let lost = false; !run.aborted; await sleep(POLL_MS)) {
    try {
      await lab.withClient((client) =>
        client.workflow.getHandle(lockId('acme')).executeUpdate(kind, { args }),
      );
      return;
    } catch (error) {
      const { type } = (error as { readonly cause?: { readonly type?: string } }).cause ?? {};
      if (lost && type === 'ALREADY_DECIDED') return;
      if (type !== undefined) throw error;
      lost = true;
    }
  }
}
