import type { Step } from '../../../domain/step.ts';
import { BACKUP_STEPS } from '../../../runbooks/backup.ts';
import { choicesOf } from '../../../runbooks/choices.ts';
import { FAILOVER_STEPS } from '../../../runbooks/failover.ts';
import { RECOVER_STEPS } from '../../../runbooks/recover.ts';
import { REPLICATE_STEPS } from '../../../runbooks/replicate.ts';
import type { Traced } from '../../harness/faults.ts';
import { randomFrom } from '../../harness/random.ts';
import { asksNobody, changesNothingYet, expectedOf, type Expected } from './expected.ts';
import { branchOfMove, expectedOfMove, givesUpWell, isMove } from './expected-move.ts';

/** The cells of the crash matrix, generated from the step tables: each point of a run × each moment. */

/**
 * `recover`: an empty site takes over. `in-place`: the rows that only a rebuild in place has. `undo`: a recovery is
 * given up, and its undo is disturbed. `backup`: a set is made. `decide`: a step has failed for good, or the run is
 * paused, and a person decides.
 */
export const RESTORES = ['backup', 'recover', 'decide', 'undo', 'in-place'] as const;
/**
 * Between two sites that follow each other: a standby takes over (`graceful`, `forced`), and the site that it has replaced
 * is made to follow (`replicate`).
 */
export const MOVES = ['graceful', 'forced', 'replicate'] as const;
export type MoveName = (typeof MOVES)[number];
export const SCENES = [...RESTORES, ...MOVES] as const;
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
  'worker-waiting',
  'worker-decided',
  'temporal-waiting',
  'temporal-decided',
] as const;
export type Moment = (typeof MOMENTS)[number];

/** What a person says; after `undo` they say `retry`, after `pause` `resume`. */
export type Word = 'retry' | 'skip' | 'done' | 'undo' | 'pause';

export interface Point {
  readonly scene: SceneName;
  /** As worker/fault-points.ts names it; where a person decides, `STEP.DECISION`. */
  readonly id: string;
  readonly word?: Word;
  /** Its row; of an undo, the row that is undone. None where the whole target is stopped. */
  readonly step?: Step;
}

export interface Cell extends Point {
  readonly moment: Moment;
  /** Names it on the command line: `SCENE/POINT:WHAT`. */
  readonly name: string;
  /** What to plant. */
  readonly fault: string;
  /** Planted as well: holds what a decision brings about. */
  readonly held?: string;
  readonly expected: Expected;
  /** Can share its run with others: it ends well, whatever else happens. */
  readonly packs: boolean;
  /** What its choices were drawn from. */
  readonly seed?: number;
}

/** Every point of the tables. What a run leaves out, or has a command of its own, is `planned`'s to say. */
export function pointsOf(scene: SceneName, planned: (id: string) => boolean): Point[] {
  const steps: readonly Step[] = RECOVER_STEPS.filter(({ id }) => planned(id));
  switch (scene) {
    case 'backup':
      return BACKUP_STEPS.filter(({ id }) => planned(id)).map((row) => ({
        scene,
        id: row.id,
        step: row as unknown as Step,
      }));
    case 'recover':
      return steps.map((step) => ({ scene, id: step.id, step }));
    case 'in-place':
      // The others are the same rows as elsewhere.
      return steps.filter(({ id }) => id === 'hold-traffic').map((step) => ({ scene, id: step.id, step }));
    case 'decide':
      return steps
        .filter((step) => !changesNothingYet(step) && !asksNobody(step) && step.id !== 'hold-traffic')
        .flatMap((step) =>
          wordsOf(step, planned).map((word) => ({ scene, id: `${step.id}.${word}`, step, word })),
        );
    case 'graceful':
      return movesOf(scene, FAILOVER_STEPS, planned);
    case 'forced':
      return movesOf(scene, FAILOVER_STEPS, planned).filter(({ id }) => id !== 'switch-traffic');
    case 'replicate':
      return movesOf(scene, REPLICATE_STEPS, planned);
    case 'undo':
      return [
        { scene, id: 'stop-target' },
        ...steps
          .filter(({ undo }) => undo !== undefined)
          .map((step) => ({ scene, id: `${step.undo}.${step.id}`, step })),
      ];
  }
}

/** Rows that a recovery has as well are tried there, but for those that must not come twice here. */
function movesOf(scene: MoveName, table: readonly Step[], planned: (id: string) => boolean): Point[] {
  const asElsewhere = RECOVER_STEPS.map(({ id }) => id as string).filter((id) => !ALSO_HERE.includes(id));
  return table
    .filter(({ id }) => planned(id) && !asElsewhere.includes(id))
    .map((step) => ({ scene, id: step.id, step }));
}

const ALSO_HERE: readonly string[] = ['fence-source', 'hold-traffic', 'switch-traffic'];

function wordsOf(step: Step, planned: (id: string) => boolean): Word[] {
  const steps = RECOVER_STEPS.map(({ id }) => id).filter(planned);
  // Whatever becomes of a fence that failed, the site is not fenced.
  const choices = choicesOf(step, step.id === 'fence-source' ? 'NOT_FENCED' : 'BUG', { steps });
  const words = choices.filter((choice): choice is Exclude<Word, 'pause'> =>
    ['retry', 'skip', 'done', 'undo'].includes(choice),
  );
  // Behind the last of them there is no border any more.
  const pauses = step.risk === 'mutate' && step.id !== 'discard-old-data';
  return pauses ? [...words, 'pause'] : words;
}

/**
 * Every cell of a point. Which renames there are, and how much is written, is known from a run that nothing disturbed.
 *
 * @param seeds how many random bytes for each work that restores; half of it for the others that change something
 */
export function cellsOf(point: Point, control: readonly Traced[], seeds: number): Cell[] {
  if (point.word !== undefined) return decidedCellsOf(point, point.step!, point.word);
  const traced = control.filter((work) => work.point === point.id).sort((a, b) => b.bytes - a.bytes)[0];
  const cell = (moment: Moment, what: string, fault: string, seed?: number): Cell => {
    const expected = isMove(point.scene) ? expectedOfMove(point, moment) : expectedOf(point, moment);
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
    cell('temporal-killed', 'temporal-killed', 'hold'),
    cell('new-build', 'new-build', 'hold'),
  ];
  if (!isMove(point.scene) || givesUpWell(point)) {
    cells.push(cell('fails-for-good', 'fails-for-good', 'fails'));
    // A look has no effect after which it could fail.
    if (point.scene === 'backup' || point.step?.risk !== 'probe')
      cells.push(cell('fails-after-effect', 'fails-after-effect', 'fails-after'));
  }
  if (point.scene === 'recover' || point.scene === 'in-place' || isMove(point.scene))
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

/** The step fails for good after its effect, which a decision must not bring about again; `pause` meets it at work. */
function decidedCellsOf(point: Point, { id }: Step, word: Word): Cell[] {
  return (['worker-waiting', 'worker-decided', 'temporal-waiting', 'temporal-decided'] as const).map(
    (moment) => {
      const expected = expectedOf(point, moment);
      // To come between a `retry` and its effect, the effect must still be to come.
      const comes = word === 'retry' && moment.endsWith('decided');
      const kind = word === 'pause' ? 'hold' : comes ? 'refuse' : 'refuse-after';
      const held = comes ? `${id}:hold` : `undo-switch.${id}:hold`;
      return {
        ...point,
        moment,
        name: `${point.scene}/${point.id}:${moment}`,
        fault: `${id}:${kind}`,
        ...(comes || (word === 'undo' && moment.endsWith('decided')) ? { held } : {}),
        expected,
        packs: expected.packs,
      };
    },
  );
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

/** Lets cells share runs: those that end well, of the same scene, and few of what runs at the same time. */
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
  if (!cell.packs || !first?.packs || first.scene !== cell.scene) return false;
  if (first.expected.retry !== cell.expected.retry) return false;
  if (first.expected.outcome !== cell.expected.outcome) return false;
  const same = pack.filter((other) => placeOf(other) === placeOf(cell));
  // One call after the other dies at the byte of the next of them; other moments know but one call.
  if (same.some(({ moment }) => moment !== 'byte' || cell.moment !== 'byte')) return false;
  // A source that falls silent twice is one that cannot be fenced.
  if (same.length >= (cell.id === 'fence-source' ? 1 : SAME_POINT)) return false;
  // One works on while it is held: two at once would wait for each other.
  if (isHeld(cell) && pack.some((other) => isHeld(other) && branchOf(other) === branchOf(cell))) return false;
  if (!isCostly(cell)) return true;
  if (pack.some((other) => hidesRename(other, cell) || hidesRename(cell, other))) return false;
  const costly = pack.filter(isCostly);
  return (
    costly.length < size && costly.filter((other) => branchOf(other) === branchOf(cell)).length < SAME_BRANCH
  );
}

function placeOf({ scene, id, step }: Cell): string {
  return scene === 'decide' ? step!.id : id;
}

/** A worker that dies is missed after seconds, and what runs beside it is lost as well. */
function isCostly({ moment }: Cell): boolean {
  return moment !== 'fails-once' && moment !== 'refused-once';
}

/** A call that goes on where a killed one ended has fewer renames: the nth of them may never come. */
function hidesRename(rename: Cell, other: Cell): boolean {
  return rename.moment === 'rename' && isCostly(other) && branchOf(rename) === branchOf(other);
}

/** Also a pause: one step's would hold another's up. */
function isHeld({ moment, word }: Cell): boolean {
  return moment === 'temporal-killed' || moment === 'new-build' || word === 'pause';
}

/** What may run at the same time. */
function branchOf({ scene, id, step }: Cell): string {
  if (scene === 'undo') return id;
  if (isMove(scene)) return branchOfMove(id);
  if (step!.phase === 'redis' || step!.phase === 'database' || id === 'place-server-config') return 'stores';
  return step!.phase;
}

const SAME_POINT = 3;

/** A step is looked at five times and then laid before a person: more kills beside it would be a fault of ours. */
const SAME_BRANCH = 4;
