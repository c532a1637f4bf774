import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunRecord } from '../../../domain/run.ts';
import { siteDir } from '../../../lab/layout.ts';
import type { Answer } from '../../harness/lab.ts';
import type { Traced } from '../../harness/faults.ts';
import type { Cell, SceneName } from './cells.ts';
import { judgeBackup, judgeRecovery, type Ended } from './judge.ts';
import type { Stage } from './stage.ts';
import { readWitnesses, since } from './witnesses.ts';

/** Plays cells in one run on the stage, and says what was not as it must be. */

export interface Played {
  /** Empty where all was right. */
  readonly problems: readonly string[];
  readonly outcome: string;
  readonly ms: number;
  readonly trace: readonly Traced[];
}

/** Gives a run up in the scene `undo`: the last proof before clients are let in, so that all there is must be undone. */
const LAST_PROOF = 'prove-apis:refuse';

/** A run that takes longer hangs: no honest one does, on a machine however slow. More for each disturbance. */
const RUN_TIMEOUT_MS = 300_000;
const CELL_TIMEOUT_MS = 30_000;

/** @param cells of one scene; none plays it undisturbed */
export async function play(stage: Stage, scene: SceneName, cells: readonly Cell[]): Promise<Played> {
  const faults = cells.flatMap(plantedBy);
  await stage.set(scene, scene === 'undo' ? [LAST_PROOF, ...faults] : faults);
  const startedAt = performance.now();
  const ended = scene === 'backup' ? backUp(stage, cells) : recover(stage, scene, cells);
  const { problems, outcome } = await ended;
  const trace = await stage.trace();
  return { problems, outcome, ms: performance.now() - startedAt, trace };
}

export function plantedBy({ fault, held }: Cell): string[] {
  return held === undefined ? [fault] : [fault, held];
}

type Judged = Pick<Played, 'problems' | 'outcome'>;

async function recover(stage: Stage, scene: SceneName, cells: readonly Cell[]): Promise<Judged> {
  const { lab } = stage;
  const before = await readWitnesses(lab);
  const asks = cells.some(({ expected }) => expected.retry);
  const place = scene === 'in-place' ? ['--in-place', '--yes'] : [];
  const answer = await disturbed(stage, cells, async () => {
    const own = await lab.recover('--json', ...place, ...(asks ? [] : ['--on-failure', 'abort']));
    // A command that is killed only lets go of its run: that one must come to its end before the next cell.
    return own.exitCode < 0 ? lab.run('status', 'acme', '--watch', '--json') : own;
  });
  const record = recordIn(answer);
  if (!record) return { problems: [`no record: ${endOf(answer)}`], outcome: 'NONE' };
  const happened = since(before, await readWitnesses(lab));
  const ended: Ended = { record, exitCode: answer.exitCode, happened };
  const problems = [...(await unfired(stage, cells)), ...(await judgeRecovery(stage, scene, cells, ended))];
  return {
    problems: problems.length > 0 ? [...problems, ...storyOf(record)] : problems,
    outcome: record.outcome!,
  };
}

/** What a person would look at first. */
export function storyOf(record: RunRecord): string[] {
  const odd = record.steps.filter(
    ({ state }) => state !== 'done' && state !== 'not-part' && state !== 'pending',
  );
  return [
    ...(record.error ? [`error: ${record.error.message}`] : []),
    ...record.exceptions,
    ...odd.map(
      ({ id, state, calls, error }) => `${id} ${state} after ${calls} calls: ${error?.message ?? ''}`,
    ),
  ];
}

async function backUp(stage: Stage, cells: readonly Cell[]): Promise<Judged> {
  const before = await setsOf(stage);
  const answer = await disturbed(stage, cells, () => stage.lab.run('backup', 'acme', '--site', 'primary'));
  const after = await setsOf(stage);
  const fresh = after.filter(({ set }) => !before.some((old) => old.set === set));
  const problems = [
    ...(await unfired(stage, cells)),
    ...(await judgeBackup(stage, cells, answer.exitCode, fresh)),
  ];
  return {
    problems: problems.length > 0 ? [...problems, endOf(answer)] : problems,
    outcome: answer.exitCode === 0 ? 'RECOVERED' : 'ABORTED',
  };
}

async function setsOf({ lab }: Stage): Promise<{ set: string; state: string }[]> {
  const { stdout } = await lab.run('backup', 'list', 'acme', '--json');
  return (JSON.parse(stdout) as { sets: { set: string; state: string }[] }).sets;
}

type Disturbable = Pick<Stage, 'lab' | 'keeper'>;

/** Runs a command while the cells' disturbances happen; gives a run up that hangs. */
export async function disturbed(
  stage: Disturbable,
  cells: readonly Cell[],
  command: () => Promise<Answer>,
): Promise<Answer> {
  const over = new AbortController();
  const hanging = sleep(RUN_TIMEOUT_MS + cells.length * CELL_TIMEOUT_MS, undefined, {
    signal: over.signal,
  }).then(
    () => stage.lab.run('abort', 'acme', '--reason', 'it hangs').then(() => undefined),
    () => undefined,
  );
  const [answer] = await Promise.all([
    command().finally(() => over.abort()),
    hanging,
    ...cells.map((cell) => stage.keeper.disturb(cell, over.signal)),
  ]);
  return answer;
}

/** A cell whose fault did not come has tested nothing. */
export async function unfired(stage: Disturbable, cells: readonly Cell[]): Promise<string[]> {
  const always = (cell: Cell): boolean => cell.fault.includes(':fails');
  const wanted = cells.filter((cell) => !always(cell)).flatMap(plantedBy);
  const come = await stage.keeper.come(wanted);
  return wanted.filter((fault) => !come.includes(fault)).map((fault) => `${fault} never came`);
}

export function recordIn({ stdout }: Answer): RunRecord | undefined {
  try {
    const last = JSON.parse(stdout.trim().split('\n').at(-1)!) as RunRecord & { type: string };
    return last.type === 'result' ? last : undefined;
  } catch {
    return undefined;
  }
}

export function endOf({ exitCode, stdout, stderr }: Answer): string {
  return `exit code ${exitCode}: ${(stderr.trim() || stdout.trim()).slice(-600)}`;
}

/** The run in command of the target. */
export async function commanderOf({ lab }: Stage): Promise<string | undefined> {
  const text = await readFile(join(siteDir(lab.lab, 'dr', 'state'), 'epoch.json'), 'utf8').catch(
    () => undefined,
  );
  return text === undefined ? undefined : (JSON.parse(text) as { run: string }).run;
}

export async function fencedBy({ lab }: Stage): Promise<string | undefined> {
  const text = await readFile(siteDir(lab.lab, 'primary', 'state', 'fenced'), 'utf8').catch(() => undefined);
  return text?.trim();
}
