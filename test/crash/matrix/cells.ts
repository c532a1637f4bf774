import type { Step } from '../../../domain/step.ts';
import { BACKUP_STEPS } from '../../../runbooks/backup.ts';
import { RECOVER_STEPS } from '../../../runbooks/recover.ts';
import type { Traced } from '../../harness/faults.ts';
import { randomFrom } from '../../harness/random.ts';
import { expectedOf, type Expected } from './expected.ts';

/** The cells of the crash matrix, generated from the step tables: each point of a run × each moment. */

/**
 * `recover`: an empty site takes over. `in-place`: the rows that only a rebuild in place has. `undo`: a recovery is
 * given up, and its undo is disturbed. `backup`: a set is made.
 */
export const SCENES = ['backup', 'recover', 'undo', 'in-place'] as const;
export type SceneName = (typeof SCENES)[number];

/** The columns of the table. */
export const MOMENTS = [
  'before',
  'after',
  'rename',
  'byte',
  'fails-once',
  'refused-once',
  'fails-for-good',
  'fails-after-effect',
  'temporal-killed',
  'new-build',
] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Point {
  readonly scene: SceneName;
  /** As worker/fault-points.ts names it. */
  readonly id: string;
  /** Its row; of an undo, the row that is undone. None where the whole target is stopped. */
  readonly step?: Step;
}

export interface Cell extends Point {
  readonly moment: Moment;
  /** Names it on the command line: `SCENE/POINT:WHAT`. */
  readonly name: string;
  /** What to plant. */
  readonly fault: string;
  readonly expected: Expected;
  /** Can share its run with others: it ends well, whatever else happens. */
  readonly packs: boolean;
  /** What its choices were drawn from. */
  readonly seed?: number;
}

/** Rows that a backup of the lab runs; the others are commands of their own. */
const OF_BACKUP = BACKUP_STEPS.filter(
  ({ id }) => !['copy-set', 'test-keys', 'prune-sets', 'ship-redis-aof'].includes(id),
);

/** Every point of the tables. What a plan leaves out is `planned`'s to say. */
export function pointsOf(scene: SceneName, planned: (id: string) => boolean): Point[] {
  const steps: readonly Step[] = RECOVER_STEPS.filter(({ id }) => planned(id));
  switch (scene) {
    case 'backup':
      return OF_BACKUP.map((row) => ({ scene, id: row.id, step: row as unknown as Step }));
    case 'recover':
      return steps.map((step) => ({ scene, id: step.id, step }));
    case 'in-place':
      // The others are the same rows as elsewhere.
      return steps.filter(({ id }) => id === 'hold-traffic').map((step) => ({ scene, id: step.id, step }));
    case 'undo':
      return [
        { scene, id: 'stop-target' },
        ...steps
          .filter(({ undo }) => undo !== undefined)
          .map((step) => ({ scene, id: `${step.undo}.${step.id}`, step })),
      ];
  }
}

/**
 * Every cell of a point. Which renames there are, and how much is written, is known from a run that nothing disturbed.
 *
 * @param seeds how many random bytes for each work that restores; half of it for the others that change something
 */
export function cellsOf(point: Point, control: readonly Traced[], seeds: number): Cell[] {
  const traced = control.filter((work) => work.point === point.id).sort((a, b) => b.bytes - a.bytes)[0];
  const cell = (moment: Moment, what: string, fault: string, seed?: number): Cell => {
    const expected = expectedOf(point, moment);
    return {
      ...point,
      moment,
      name: `${point.scene}/${point.id}:${what}`,
      fault: `${point.id}:${fault}`,
      expected,
      packs: expected.packs,
      ...(seed === undefined ? {} : { seed }),
    };
  };
  const cells = [
    cell('before', 'before', 'before'),
    cell('after', 'after', 'after'),
    cell('fails-once', 'fails-once', 'fail'),
    cell('fails-for-good', 'fails-for-good', 'fails'),
    cell('fails-after-effect', 'fails-after-effect', 'fails-after'),
    cell('temporal-killed', 'temporal-killed', 'hold'),
    cell('new-build', 'new-build', 'hold'),
  ];
  if (point.scene === 'recover' || point.scene === 'in-place')
    cells.push(cell('refused-once', 'refused-once', 'refuse'));
  for (let nth = 1; nth <= (traced?.renames ?? 0); nth += 1)
    for (const side of ['before', 'after'])
      cells.push(cell('rename', `rename-${nth}-${side}`, `rename-${nth}-${side}`));
  for (let seed = 1; seed <= seedsOf(point, seeds); seed += 1) {
    const random = randomFrom(seed * 7919 + hash(point.id));
    const byte = Math.max(1, Math.floor(random.fraction() * (traced?.bytes ?? 1)));
    cells.push(cell('byte', `byte-${seed}`, `byte-${byte}`, seed));
  }
  return cells;
}

function seedsOf({ scene, step }: Point, seeds: number): number {
  if (step === undefined) return Math.ceil(seeds / 10);
  const restores = scene === 'backup' ? step.id.startsWith('back-up-') : step.undo !== undefined;
  if (scene !== 'undo' && restores) return seeds;
  return Math.ceil(seeds / (step.risk === 'mutate' ? 4 : 10));
}

function hash(text: string): number {
  return [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
}

/** Lets cells share runs: those that end well, each of another point of the same scene, and few to a branch. */
export function packed(cells: readonly Cell[], size: number): Cell[][] {
  const packs: Cell[][] = [];
  for (const cell of cells) {
    const pack = packs.find((each) => fits(each, cell, size));
    if (pack) pack.push(cell);
    else packs.push([cell]);
  }
  return packs;
}

function fits(pack: readonly Cell[], cell: Cell, size: number): boolean {
  const [first] = pack;
  if (!cell.packs || !first?.packs || pack.length >= size || first.scene !== cell.scene) return false;
  if (first.expected.retry !== cell.expected.retry) return false;
  if (pack.some(({ id }) => id === cell.id)) return false;
  // A step is looked at five times and then laid before a person: more kills beside it would be a fault of ours.
  return pack.filter(({ step }) => step?.phase === cell.step?.phase).length < SAME_PHASE;
}

const SAME_PHASE = 2;
