import { readdir } from 'node:fs/promises';
import { EXIT_CODES } from '../../../domain/error-kinds.ts';
import { OUTCOME_CLASS, type RunRecord } from '../../../domain/run.ts';
import { GATEWAYS, siteDir, siteServices } from '../../../lab/layout.ts';
import type { Cell, SceneName } from './cells.ts';
import { decisionsOf } from './decide.ts';
import { Differences } from './differences.ts';
import { comesAfter, kills, redone } from './expected.ts';
import { changedOldData, leftovers } from './old-data.ts';
import { commanderOf, fencedBy } from './play.ts';
import type { Stage } from './stage.ts';
import { digestOfData, running, type Witnesses } from './witnesses.ts';

/** Whether a disturbed run ended in its right outcome, and no effect happened twice. */

export interface Ended {
  readonly record: RunRecord;
  readonly exitCode: number;
  readonly happened: Witnesses;
}

/** @returns what is wrong, in words. */
export async function judgeRecovery(
  stage: Stage,
  scene: SceneName,
  cells: readonly Cell[],
  ended: Ended,
): Promise<string[]> {
  const { record, exitCode } = ended;
  const outcome = cells[0]?.expected.outcome ?? (scene === 'undo' ? 'FAILED_UNDONE' : 'RECOVERED');
  const say = new Differences();
  say.same('outcome', record.outcome, outcome);
  say.same('exit code', exitCode, EXIT_CODES[OUTCOME_CLASS[outcome]]);
  say.same('starts on the lost site', startsOf(ended, 'primary'), {});
  switch (outcome) {
    case 'RECOVERED':
    case 'RECOVERED_WITH_EXCEPTIONS':
      await judgeServed(say, stage, scene, cells, ended);
      if (scene === 'decide') judgeDecisions(say, cells, ended);
      break;
    case 'REFUSED':
      await judgeUntouched(say, stage, ended);
      break;
    default:
      await judgeGivenUp(say, stage, cells, ended);
  }
  return say.all;
}

async function judgeServed(
  say: Differences,
  stage: Stage,
  scene: SceneName,
  cells: readonly Cell[],
  { record, happened }: Ended,
): Promise<void> {
  const { lab } = stage;
  const services = siteServices(lab.lab).map((service) => `dr-${service}`);
  say.same('starts', dr(happened.starts), Object.fromEntries(services.map((name) => [name, 1])));
  say.same('running', await running(lab, 'dr'), services);
  const out = scene === 'in-place' ? 'dr' : 'primary';
  say.same('switches of traffic', happened.switches, {
    ...Object.fromEntries(GATEWAYS.map((gateway) => [`dr-${gateway} in`, 1])),
    ...Object.fromEntries(GATEWAYS.map((gateway) => [`${out}-${gateway} out`, 1])),
  });
  const data = await digestOfData(lab, 'dr').catch((error: unknown) => `unreadable: ${String(error)}`);
  say.same('data', data, await stage.truth());
  const failed = cells.filter(forGood).map(({ id }) => id);
  if (failed.length === 0) say.same('left beside the data', await leftovers(lab.lab), []);
  say.between('restores of pgBackRest', happened.restores, 1, 1 + redone(cells, 'restore-database-data'));
  // What is given up in the close-out may not have come to the backup.
  const least = failed.length > 0 || scene === 'in-place' ? 0 : 1;
  say.between('backups of the new generation', happened.backups, least, 1);
  // The owner's command must be repeatable: a call whose end nobody heard of is made again.
  const again = cells.filter(callsAgain).length;
  say.between('calls of the provision command', happened.provisions, 1, 1 + again);
  const unwritten = failed.includes('write-record') ? 0 : 1;
  say.between('records', happened.records, unwritten, 1);
  say.same('in command of the target', await commanderOf(stage), record.run);
  if (scene === 'recover') judgeBuilds(say, cells, { record, exitCode: 0, happened });
  if (scene !== 'in-place') say.same('fenced by', await fencedBy(stage), `run ${record.run}`);
}

/** Given up in the close-out; what a person decides about has all its effects. */
function forGood({ word, expected }: Cell): boolean {
  return word === undefined && expected.outcome !== 'RECOVERED';
}

function callsAgain({ step, word, moment }: Cell): boolean {
  if (step?.id !== 'provision-target') return false;
  return word === undefined ? moment !== 'before' : word === 'retry' && moment.endsWith('waiting');
}

/** Each decision counts once, and nobody is waited for any more. */
function judgeDecisions(say: Differences, cells: readonly Cell[], { record }: Ended): void {
  say.same(
    'decisions',
    record.decisions.map(({ kind, step }) => `${kind} ${step}`),
    cells.flatMap(decisionsOf),
  );
  const open = record.waits.filter(({ until }) => until === undefined);
  say.same(
    'open waits',
    open.map((wait) => wait.for),
    [],
  );
  const told = cells.filter(({ word }) => word === 'skip' || word === 'done').map(({ step }) => step!.id);
  say.same(
    'exceptions',
    record.exceptions.map((text) => text.split(':')[0]!),
    told,
  );
}

/**
 * The record says that another build took over. Whoever writes it down last, or was not asked again, is not in it.
 */
function judgeBuilds(say: Differences, cells: readonly Cell[], { record }: Ended): void {
  const taken = cells.some(
    ({ moment, step }) => moment === 'new-build' && step!.where !== 'source' && step!.id !== 'write-record',
  );
  const own = record.builds?.filter(({ worker }) => worker === 'dr') ?? [];
  say.same('builds of the worker dr', new Set(own.map(({ build }) => build.code)).size, taken ? 2 : 1);
}

/** A refused run has changed nothing at all. */
async function judgeUntouched(say: Differences, stage: Stage, { happened }: Ended): Promise<void> {
  say.same('starts', dr(happened.starts), {});
  say.same('switches of traffic', happened.switches, {});
  say.same('changed old data', [...(await changedOldData(stage.lab.lab)).values()].flat(), []);
  say.same('left beside the data', await leftovers(stage.lab.lab), []);
  say.same('calls of the provision command', happened.provisions, 0);
  say.same('records', happened.records, 0);
  say.same('in command of the target', await commanderOf(stage), undefined);
  say.same('fenced by', await fencedBy(stage), undefined);
}

/** The target is stopped and unserved, and its old data are back, but for what an undo that failed has left. */
async function judgeGivenUp(
  say: Differences,
  stage: Stage,
  cells: readonly Cell[],
  { record, happened }: Ended,
): Promise<void> {
  const { lab } = stage;
  const switched = cells.some(letsTrafficIn);
  if (!switched) say.same('switches of traffic', happened.switches, {});
  for (const [service, starts] of Object.entries(dr(happened.starts))) say.between(service, starts, 0, 1);
  say.between('restores of pgBackRest', happened.restores, 0, 1 + redone(cells, 'restore-database-data'));
  say.same('records', happened.records, 1);
  const stuck = cells.find(({ expected }) => expected.outcome === 'STUCK');
  if (stuck?.id === 'stop-target') {
    // Data are never switched back below what may still run: all of it stays as it is, the old data aside.
    say.between('old data kept aside', (await leftovers(lab.lab)).length, 1, Infinity);
    return;
  }
  say.same('running', await running(lab, 'dr'), []);
  const changed = await changedOldData(lab.lab);
  if (stuck?.expected.keeps !== undefined) changed.delete(stuck.step!.id);
  else say.same('left beside the data', await leftovers(lab.lab), []);
  say.same('changed old data', [...changed.values()].flat(), []);
  if (record.outcome === 'STUCK') say.same('the failed undo is told', record.exceptions.length, 1);
}

/** Whether the run had let clients in before it was given up: traffic is never touched again then. */
function letsTrafficIn({ scene, step, moment }: Cell): boolean {
  if (scene !== 'recover' || !step) return false;
  return (
    comesAfter(step, 'switch-traffic') || (step.id === 'switch-traffic' && moment === 'fails-after-effect')
  );
}

/** A set is whole and verified, or there is none that looks like one. */
export async function judgeBackup(
  stage: Stage,
  cells: readonly Cell[],
  exitCode: number,
  fresh: readonly { readonly set: string; readonly state: string }[],
): Promise<string[]> {
  const say = new Differences();
  const failing = cells.find(({ expected }) => expected.outcome !== 'RECOVERED');
  const usable = fresh.filter(({ state }) => state === 'complete' || state === 'verified');
  if (failing) {
    say.same('ends well', exitCode === 0, false);
    const sealed =
      failing.id === 'verify-set' || (failing.id === 'seal-set' && failing.moment === 'fails-after-effect');
    const states = sealed
      ? [failing.id === 'verify-set' && failing.moment === 'fails-after-effect' ? 'verified' : 'complete']
      : [];
    say.same(
      'usable sets',
      usable.map(({ state }) => state),
      states,
    );
  } else {
    say.same('exit code', exitCode, 0);
    say.same(
      'new sets',
      usable.map(({ state }) => state),
      ['verified'],
    );
  }
  const state = await readdir(siteDir(stage.lab.lab, 'primary', 'state')).catch(() => [] as string[]);
  // What a killed worker has left, the next call removes; where there is none, the next backup does.
  if (!failing || !cells.some(kills))
    say.same(
      'scratch folders',
      state.filter((name) => /^(scratch|verify)-/.test(name)),
      [],
    );
  return say.all;
}

function startsOf({ happened }: Ended, site: string): Record<string, number> {
  return Object.fromEntries(Object.entries(happened.starts).filter(([name]) => name.startsWith(`${site}-`)));
}

function dr(starts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(starts).filter(([name]) => name.startsWith('dr-')));
}
