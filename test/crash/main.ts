import { appendFile, readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { randomFrom } from '../harness/random.ts';
import { cellsOf, MOMENTS, packed, pointsOf, SCENES, type Cell, type SceneName } from './matrix/cells.ts';
import { isMove } from './matrix/expected-move.ts';
import { Pair } from './matrix/pair.ts';
import { playMove } from './matrix/play-move.ts';
import { play, type Played } from './matrix/play.ts';
import { Stage } from './matrix/stage.ts';
import { summaryOf, tableOf, verdictOf, type Verdict } from './matrix/table.ts';

/** `npm run crash`: the whole crash matrix, or what is chosen of it. */

const USAGE = `usage: npm run crash -- [options]; several names with commas between
  --scene NAMES    only these scenes: ${SCENES.join(', ')}
  --step IDS       only these steps
  --moment NAMES   only these moments: ${MOMENTS.join(', ')}
  --only NAME      only the cell of this name, as printed where one failed
  --seeds N        random bytes for each restore (20)
  --pack N         cells that may share a run (12); what fails together is played again one by one
  --runs N         at most so many runs of each scene
  --labs N         labs beside each other (3): a disturbed run mostly waits; each lab takes 2 GB of memory
  --shard I/N      the I-th of N equal parts
  --results FILE   keep each verdict there, one a line; what is ok in it is not played again
  --list           print the names of the cells; renames are counted by a run, and only named with one
`;

const { values: options } = parseOptions();
/** Somebody has said that it is to end: nothing further begins, and what still runs has no verdict. */
let ending = false;

process.exitCode = await main();

async function main(): Promise<number> {
  // The shell may name servers and configurations of its own: nothing here may reach them.
  for (const name of Object.keys(process.env))
    if (/^(TYK_DR_|TEMPORAL_|PG|REDIS)/.test(name)) delete process.env[name];
  if (options.list) return list();
  const startedAt = performance.now();
  const verdicts = await kept();
  let rising: Promise<Player>[] = [];
  const allDown = async (): Promise<void> => {
    for (const player of await Promise.allSettled(rising))
      if (player.status === 'fulfilled') await player.value.down();
    rising = [];
  };
  const end = (): void => {
    if (ending) return;
    ending = true;
    say('ending the labs');
    // Also those that are only coming up; commands that still run against them end with errors of their own.
    void allDown()
      .catch(() => undefined)
      .finally(() => process.exit(130));
  };
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    for (const raise of [onStage, onPair]) {
      const scenes = SCENES.filter((scene) => isMove(scene) === (raise === onPair) && isWanted(scene));
      if (scenes.length === 0) continue;
      rising = raised(raise);
      for (const scene of scenes) await playScene(rising, scene, verdicts);
      await allDown();
    }
  } catch (error) {
    if (!ending) throw error;
  } finally {
    if (!ending) await allDown();
  }
  if (ending) await new Promise(() => undefined);
  process.stdout.write(`${tableOf(verdicts)}\n\n${summaryOf(verdicts, performance.now() - startedAt)}\n`);
  if (verdicts.length === 0) say('no cell was chosen');
  return verdicts.length > 0 && verdicts.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** A lab, and who plays scenes on it. */
interface Player {
  play(scene: SceneName, cells: readonly Cell[]): Promise<Played>;
  down(): Promise<void>;
}

async function onStage(): Promise<Player> {
  const stage = await Stage.up();
  return { play: (scene, cells) => play(stage, scene, cells), down: () => stage.down() };
}

async function onPair(): Promise<Player> {
  const pair = await Pair.up();
  return {
    play: (scene, cells) => {
      if (!isMove(scene)) throw new Error(`${scene} is not played between two sites`);
      return playMove(pair, scene, cells);
    },
    down: () => pair.down(),
  };
}

/** One after the other: a lab that comes up needs the machine for itself. */
function raised(raise: () => Promise<Player>): Promise<Player>[] {
  const rising: Promise<Player>[] = [];
  for (let lab = 0; lab < Number(options.labs); lab += 1) {
    const before = rising.at(-1);
    const next = async (): Promise<Player> => {
      await before?.catch(() => undefined);
      if (ending) throw new Error('the labs are ending');
      return raise();
    };
    rising.push(next());
    // Whoever plays on it hears of it.
    rising.at(-1)!.catch(() => undefined);
  }
  return rising;
}

function isWanted(scene: SceneName): boolean {
  const points = pointsOf(scene, () => true);
  return points.some((point) => cellsOf(point, [], 1).some((cell) => isChosen(cell, true)));
}

async function playScene(
  players: readonly Promise<Player>[],
  scene: SceneName,
  verdicts: Verdict[],
): Promise<void> {
  say(`${scene}: a run that nobody disturbs`);
  const control = await (await players[0]!).play(scene, []);
  if (control.problems.length > 0)
    throw new Error(`the undisturbed run of ${scene} is not right: ${control.problems.join('; ')}`);
  const planned = new Set(control.trace.map(({ point }) => point));
  const done = new Set(verdicts.filter(({ problems }) => problems.length === 0).map(({ name }) => name));
  const chosen = pointsOf(scene, (id) => planned.has(id) || scene === 'undo')
    .flatMap((point) => cellsOf(point, control.trace, Number(options.seeds)))
    .filter((cell) => isChosen(cell) && !done.has(cell.name))
    // Mixed, always alike: whoever ends early has seen something of everything.
    .sort((one, other) => drawOf(one) - drawOf(other));
  const packs = packed(inShard(chosen), Number(options.pack))
    .sort((one, other) => Number(waits(one)) - Number(waits(other)) || other.length - one.length)
    .slice(0, options.runs === undefined ? undefined : Number(options.runs));
  const left = packs.map((pack, index) => ({ pack, called: `${scene} ${index + 1}/${packs.length}` }));
  const wrong: { readonly pack: readonly Cell[]; readonly played: Played }[] = [];
  const playAll = async (rising: Promise<Player>): Promise<void> => {
    const player = await rising.catch((error: unknown) => say(`a lab did not come up: ${String(error)}`));
    if (!player) return;
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { pack, called } = next;
      say(`${called}: ${pack.map(({ name }) => name).join(' ')}`);
      const played = await player.play(scene, pack);
      if (ending) return;
      say(
        `${called}: ${played.outcome}, ${seconds(played.ms)}${played.problems.map((each) => `\n  not right: ${each}`).join('')}`,
      );
      for (const cell of pack) await keep(verdictOf(cell, played, pack.length), verdicts);
      if (played.problems.length === 0 || pack.length === 1) continue;
      // Which of them it was is found by halves.
      wrong.push({ pack, played });
      const half = Math.ceil(pack.length / 2);
      left.push(
        { pack: pack.slice(0, half), called: `${called}a` },
        { pack: pack.slice(half), called: `${called}b` },
      );
    }
  };
  await Promise.all(players.map(playAll));
  for (const { pack, played } of wrong) {
    const names = new Set(pack.map(({ name }) => name));
    // Each by itself is right: it is their coming together that is not.
    if (verdicts.every(({ name, problems }) => !names.has(name) || problems.length === 0))
      for (const cell of pack) await keep(verdictOf(cell, played, pack.length), verdicts);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

async function keep(verdict: Verdict, verdicts: Verdict[]): Promise<void> {
  const old = verdicts.findIndex(({ name }) => name === verdict.name);
  if (old >= 0) verdicts.splice(old, 1);
  verdicts.push(verdict);
  if (options.results !== undefined) await appendFile(options.results, `${JSON.stringify(verdict)}\n`);
}

function drawOf({ name }: Cell): number {
  return randomFrom([...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 1)).fraction();
}

/** Runs in which somebody is asked take longest. */
function waits(pack: readonly Cell[]): boolean {
  return pack.some(({ expected }) => expected.retry);
}

/** @param loosely whether another cell of this point could be meant */
function isChosen(cell: Cell, loosely = false): boolean {
  if (options.scene !== undefined && !options.scene.split(',').includes(cell.scene)) return false;
  const steps = options.step?.split(',');
  if (steps && !steps.includes(cell.id) && !steps.includes(cell.step?.id ?? '')) return false;
  if (options.only !== undefined)
    return loosely ? options.only.startsWith(`${cell.scene}/${cell.id}:`) : cell.name === options.only;
  return loosely || options.moment === undefined || options.moment.split(',').includes(cell.moment);
}

function inShard(cells: readonly Cell[]): Cell[] {
  const [part, parts] = options.shard.split('/').map(Number);
  return cells.filter((_, index) => index % parts! === part! - 1);
}

async function kept(): Promise<Verdict[]> {
  if (options.results === undefined) return [];
  const text = await readFile(options.results, 'utf8').catch(() => '');
  const all = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Verdict);
  // The last one counts.
  return [...new Map(all.map((verdict) => [verdict.name, verdict])).values()];
}

function list(): number {
  const cells = SCENES.flatMap((scene) => pointsOf(scene, () => true))
    .flatMap((point) => cellsOf(point, [], Number(options.seeds)))
    .filter((cell) => isChosen(cell));
  for (const { name, expected } of cells) process.stdout.write(`${name} ${expected.outcome}\n`);
  say(`${cells.length} cells, and two for each rename of a step`);
  return 0;
}

function parseOptions() {
  try {
    const parsed = parseArgs({
      options: {
        scene: { type: 'string' },
        step: { type: 'string' },
        moment: { type: 'string' },
        only: { type: 'string' },
        seeds: { type: 'string', default: '20' },
        pack: { type: 'string', default: '12' },
        runs: { type: 'string' },
        labs: { type: 'string', default: '3' },
        shard: { type: 'string', default: '1/1' },
        results: { type: 'string' },
        list: { type: 'boolean', default: false },
      },
    });
    requireKnown(parsed.values);
    return parsed;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

function requireKnown(values: Readonly<Record<string, unknown>>): void {
  const known = (name: string, all: readonly string[]): void => {
    const value = values[name];
    for (const each of value === undefined ? [] : String(value).split(','))
      if (!all.includes(each)) throw new Error(`--${name} ${each}: expected one of ${all.join(', ')}`);
  };
  known('scene', SCENES);
  known('moment', MOMENTS);
  const points = SCENES.flatMap((scene) => pointsOf(scene, () => true));
  known('step', [...new Set(points.flatMap(({ id, step }) => [id, ...(step ? [step.id] : [])]))]);
  for (const name of ['seeds', 'pack', 'runs', 'labs'])
    if (values[name] !== undefined && !/^[1-9]\d{0,3}$/.test(String(values[name])))
      throw new Error(`--${name} ${String(values[name])}: expected a whole number from 1`);
  const [part, parts] = String(values['shard']).split('/').map(Number);
  if (!/^\d+\/\d+$/.test(String(values['shard'])) || part! < 1 || part! > parts!)
    throw new Error(`--shard ${String(values['shard'])}: expected I/N, such as 1/2`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
