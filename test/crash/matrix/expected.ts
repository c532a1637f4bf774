import type { Outcome } from '../../../domain/run.ts';
import type { Step } from '../../../domain/step.ts';
import { RECOVER_STEPS } from '../../../runbooks/recover.ts';
import type { Cell, Moment, Point } from './cells.ts';

/** What must come of a disturbance, by the row of the step: its risk, where it stands, whether it has an undo. */

export interface Expected {
  readonly outcome: Outcome;
  /** Other cells can share the run. */
  readonly packs: boolean;
  /** Whether the run is to be given up when a step fails, or a person is to say `retry`. */
  readonly retry: boolean;
  /** Of an undo that fails for good: its part of the target stays as it is. */
  readonly keeps?: string;
}

const ROWS: readonly Step[] = RECOVER_STEPS;

export function expectedOf(point: Point, moment: Moment): Expected {
  const forGood = moment === 'fails-for-good' || moment === 'fails-after-effect';
  const retry = moment === 'refused-once';
  switch (point.scene) {
    case 'undo':
      return {
        outcome: forGood ? 'STUCK' : 'FAILED_UNDONE',
        packs: !forGood,
        retry,
        ...(forGood && moment === 'fails-for-good' ? { keeps: point.id } : {}),
      };
    case 'backup':
      return { outcome: forGood ? failedBackup(point.id) : 'RECOVERED', packs: !forGood, retry };
    case 'decide': {
      const hides = point.word === 'skip' || point.word === 'done';
      return { outcome: hides ? 'RECOVERED_WITH_EXCEPTIONS' : 'RECOVERED', packs: true, retry: true };
    }
    default: {
      const outcome = forGood || retry ? afterFailure(point.step!, retry) : 'RECOVERED';
      return { outcome, packs: outcome === 'RECOVERED', retry };
    }
  }
}

/** A person who says `retry` brings a step about that fails once, where one is asked. */
function afterFailure(step: Step, retry: boolean): Outcome {
  if (changesNothingYet(step)) return 'REFUSED';
  if (asksNobody(step)) return 'RECOVERED_WITH_EXCEPTIONS';
  if (retry) return 'RECOVERED';
  return isServed(step) ? 'RECOVERED_WITH_EXCEPTIONS' : 'FAILED_UNDONE';
}

/** Written at the end of every run, whatever comes of it. */
export function asksNobody({ id }: Step): boolean {
  return id === 'write-record';
}

/** A look, and nothing before it has changed anything. */
export function changesNothingYet(step: Step): boolean {
  if (step.risk !== 'probe') return false;
  return ROWS.slice(0, ROWS.indexOf(step)).every(({ risk }) => risk === 'probe');
}

/** Clients are served and it is proven: from here on nothing is given up. */
function isServed(step: Step): boolean {
  return step.after.length > 0 && comesAfter(step, 'prove-traffic');
}

/** A set that is sealed is one, whatever comes after; git is said and does not fail it. */
function failedBackup(id: string): Outcome {
  return id === 'commit-config' ? 'RECOVERED' : 'ABORTED';
}

/** Whether a row waits for another, at any distance. */
export function comesAfter(step: Step, id: string): boolean {
  return step.after.some(
    (each) =>
      each === id ||
      comesAfter(
        ROWS.find((row) => row.id === each)!,
        id,
      ),
  );
}

const KILLS: readonly Moment[] = ['before', 'after', 'rename', 'byte', 'worker-waiting', 'worker-decided'];

export function kills({ moment }: Cell): boolean {
  return KILLS.includes(moment);
}

/**
 * How often a tool that works for a step may be begun anew beyond the first time: once for each kill that can meet it
 * at work, its own or that of a step beside it. A kill before it or after it is none.
 */
export function redone(cells: readonly Cell[], id: string): number {
  const row = ROWS.find((each) => each.id === id)!;
  return cells.filter((cell) => {
    // What was taken back is made again.
    if (cell.word === 'undo' && cell.step!.id === id) return true;
    if (!kills(cell) && cell.moment !== 'new-build') return false;
    if (cell.id === id)
      return cell.moment === 'rename' || cell.moment === 'byte' || cell.moment === 'new-build';
    return (
      cell.step !== undefined &&
      cell.step.id !== id &&
      !comesAfter(cell.step, id) &&
      !comesAfter(row, cell.step.id)
    );
  }).length;
}
