import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Traced } from '../harness/faults.ts';
import { randomFrom } from '../harness/random.ts';
import { cellsOf, packed, pointsOf, type Cell, type Moment, type SceneName } from './matrix/cells.ts';
import { play } from './matrix/play.ts';
import { Stage } from './matrix/stage.ts';

/**
 * A quick selection of the crash matrix (`npm run crash` plays all of it): a recovery survives kill -9 anywhere with
 * nothing done twice, by witnesses outside our own bookkeeping. CRASH_SEED=N draws other cells. Undo and backup are played by `npm run crash` only.
 */

const seed = Number(process.env['CRASH_SEED'] ?? 20_785);
const random = randomFrom(seed);

let stage: Stage;
/** What the works write and rename, from the first run: its kills came before any work. */
let trace: readonly Traced[] = [];

beforeAll(async () => {
  stage = await Stage.up();
});
afterAll(() => stage?.down());

/** Those steps that have the most to lose come first; the others as they are drawn. */
function drawn(scene: SceneName, moments: readonly Moment[], size: number): Cell[] {
  const cells = pointsOf(scene, () => true)
    .filter(({ id }) => trace.length === 0 || scene === 'undo' || trace.some(({ point }) => point === id))
    .flatMap((point) => cellsOf(point, trace, SEEDS))
    .filter((cell) => moments.includes(cell.moment) && cell.packs && !NOT_IN_THE_LAB.includes(cell.id));
  const shuffled = cells
    .map((cell) => ({ cell, rank: random.fraction() - (isRisky(cell) ? 1 : 0) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ cell }) => cell);
  return packed(shuffled, size)[0]!;
}

const SEEDS = 20;
/** The lab has no third site, and an empty one has no traffic to hold. */
const NOT_IN_THE_LAB = ['check-other-sites', 'hold-traffic'];

function isRisky({ id, step }: Cell): boolean {
  return step?.undo !== undefined || id === 'switch-traffic' || id.startsWith('start-');
}

async function expectRight(scene: SceneName, cells: readonly Cell[]): Promise<readonly Traced[]> {
  const played = await play(stage, scene, cells);
  const names = cells.map(({ name }) => name);
  expect(played.problems, `seed ${seed}: ${names.join(' ')}`).toEqual([]);
  return played.trace;
}

test('killed before the effect', async () => {
  trace = await expectRight('recover', drawn('recover', ['before'], 3));
});

test('killed after the effect and before anybody heard of it', async () => {
  await expectRight('recover', drawn('recover', ['after', 'fails-once'], 3));
});

test('killed at any byte and on either side of any rename', async () => {
  await expectRight('recover', drawn('recover', ['byte', 'rename'], 4));
});
