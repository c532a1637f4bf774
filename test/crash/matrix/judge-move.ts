import { EXIT_CODES } from '../../../domain/error-kinds.ts';
import { OUTCOME_CLASS, type Outcome, type RunRecord } from '../../../domain/run.ts';
import type { Store } from '../../../lab/clients/journal.ts';
import { GATEWAYS, SITES, siteServices, type SiteName } from '../../../lab/layout.ts';
import type { Cell, MoveName } from './cells.ts';
import { branchOfMove, comesAfter } from './expected-move.ts';
import { Differences } from './differences.ts';
import { kills } from './expected.ts';
import { readStores, serversIn, type StoresSeen } from './move-witnesses.ts';
import { soon, type Pair } from './pair.ts';
import { digestOfData, running, type Witnesses } from './witnesses.ts';

/** Whether two sites ended in their right roles, with one writer, one promotion, one copy, and every acknowledged write. */

export interface MoveEnded {
  readonly scene: MoveName;
  readonly record: RunRecord;
  readonly exitCode: number;
  readonly from: SiteName;
  readonly to: SiteName;
  /** Of `to`, before the run. */
  readonly fence: string | undefined;
  /** Of `from`, before the run. */
  readonly stores: StoresSeen;
  readonly data: string;
  readonly happened: Witnesses;
  readonly copies: number;
  readonly failedRequests: number;
  /** Another one than the cells must end in. */
  readonly outcome: Outcome | undefined;
  /** Services that were killed on purpose. */
  readonly restarted: readonly string[];
  /** What `to` held may be on no other site. */
  readonly abandoned: boolean;
  readonly lostBefore: Record<Store, number>;
  lostNow(): Promise<Record<Store, number>>;
}

/** @returns what is wrong, in words. */
export async function judgeMove(pair: Pair, cells: readonly Cell[], ended: MoveEnded): Promise<string[]> {
  const { scene, record, exitCode, from, happened } = ended;
  const well = scene === 'replicate' ? 'REPLICATED' : 'RECOVERED';
  const wanted = ended.outcome ?? cells[0]?.expected.outcome ?? well;
  // What was kept is told, and is an exception.
  const outcome = wanted === 'REPLICATED' && ended.abandoned ? 'REPLICATED_WITH_EXCEPTIONS' : wanted;
  const say = new Differences();
  say.same('outcome', record.outcome, outcome);
  say.same('exit code', exitCode, EXIT_CODES[OUTCOME_CLASS[outcome]]);
  say.same('starts at the source', startsOf(happened, from), allowedAtSource(ended));
  if (record.outcome === 'REFUSED' || record.outcome === 'FAILED_UNDONE')
    await judgeAsBefore(say, pair, ended);
  else if (scene === 'replicate') await judgeFollows(say, pair, cells, ended);
  else await judgeTakenOver(say, pair, ended);
  return say.all;
}

/** Where the run was given up, what it had stopped there is started again. */
function allowedAtSource({ record, scene, from, happened }: MoveEnded): Record<string, number> {
  const dashboard = happened.starts[`${from}-dashboard`];
  return scene === 'graceful' && record.outcome === 'FAILED_UNDONE' && dashboard === 1
    ? { [`${from}-dashboard`]: 1 }
    : {};
}

async function judgeTakenOver(say: Differences, pair: Pair, ended: MoveEnded): Promise<void> {
  const { lab } = pair;
  const { scene, record, from, to, stores, happened, lostBefore } = ended;
  const now = await readStores(lab, to);
  // Twice promoted would be two further.
  say.same('timeline', now.timeline, stores.timeline + 1);
  say.same('slots', now.slots, [slot(from)]);
  say.same('commits wait for', now.synchronous, '');
  say.same('read-only', now.readOnly, 'off');
  say.same('Redis', now.redis, 'master');
  say.same('starts', startsOf(happened, to), { [`${to}-pump`]: 1, ...counted(ended.restarted) });
  say.same('running at the new site', await running(lab, to), services(pair, to));
  say.same('running at the old site', await running(lab, from), []);
  say.same('fence of the old site', await pair.fenceOf(from), `run ${record.run}`);
  say.same('fence of the new site', await pair.fenceOf(to), undefined);
  say.same('marks', await marks(pair), {});
  say.same('in command', await pair.commanderOf(to), record.run);
  say.same(
    'servers that clients reach',
    await serversIn(lab),
    GATEWAYS.map((name) => `${to}-${name}`),
  );
  const out = Object.fromEntries(GATEWAYS.map((name) => [`${from}-${name} out`, 1]));
  say.same('switches of traffic', happened.switches, out);
  say.same('copies', ended.copies, 0);
  const hides = record.outcome === 'RECOVERED_WITH_EXCEPTIONS';
  say.between('records', happened.records, hides ? 0 : 1, 1);
  const lost = await ended.lostNow();
  say.same('acknowledged rows lost', lost.postgres - lostBefore.postgres, 0);
  if (scene === 'graceful') {
    say.same('acknowledged keys lost', lost.redis - lostBefore.redis, 0);
    say.same('requests failed', ended.failedRequests, 0);
    for (const { store, lost: numbers } of record.losses ?? [])
      say.same(`numbers lost of ${store}`, numbers, 0);
  } else {
    const own = record.losses?.find(({ store }) => store === 'redis')?.maxMs;
    // A hundred a second; the figure is to the second.
    say.between('acknowledged keys lost', lost.redis - lostBefore.redis, 0, ((own ?? 0) * 100) / 1000 + 100);
  }
  say.same('data', await digestOfData(lab, to), ended.data);
}

async function judgeFollows(
  say: Differences,
  pair: Pair,
  cells: readonly Cell[],
  ended: MoveEnded,
): Promise<void> {
  const { lab } = pair;
  const { record, from, to, stores, happened } = ended;
  const now = await readStores(lab, from);
  say.same('timeline', now.timeline, stores.timeline);
  say.same('slots', now.slots, [`${slot(to)} read`]);
  say.same('commits wait for', now.synchronous, `FIRST 1 ("${slot(to)}")`);
  say.same('standbys', now.standbys, [`${slot(to)} sync`]);
  say.same('Redis', now.redis, 'master');
  const started = services(pair, to).filter((name) => !name.endsWith('-pump'));
  say.same('starts', startsOf(happened, to), counted([...started, ...ended.restarted]));
  say.same('running at the standby', await running(lab, to), started);
  say.same('running at the source', await running(lab, from), services(pair, from));
  say.same('marks', await marks(pair), { [to]: from });
  say.same('fences', [await pair.fenceOf(from), await pair.fenceOf(to)].filter(Boolean), []);
  say.same('in command', await pair.commanderOf(to), record.run);
  say.same(
    'servers that clients reach',
    await serversIn(lab),
    SITES.flatMap((site) => GATEWAYS.map((name) => `${site}-${name}`)),
  );
  const into = Object.fromEntries(GATEWAYS.map((name) => [`${to}-${name} in`, 1]));
  say.same('switches of traffic', happened.switches, into);
  say.between('copies', ended.copies, 1, 1 + again(cells, 'copy-database'));
  say.same(
    'records',
    happened.records,
    record.exceptions.some((text) => text.startsWith('write-record')) ? 0 : 1,
  );
  const kept = (await pair.leftovers(to)).map(
    (path) => path.split(`/sites/${to}/`)[1]!.split('.tyk-dr-')[0]!,
  );
  say.same('old data kept', kept, ended.abandoned ? ['postgres/data', 'redis/data'] : []);
  say.same('requests failed', ended.failedRequests, 0);
  await pair.writer.stop();
  say.same('level, by what was written', await soon(() => isLevel(pair, from, to)), true);
}

async function isLevel(pair: Pair, from: SiteName, to: SiteName): Promise<boolean> {
  const of = async (site: SiteName): Promise<string> =>
    JSON.stringify([
      await digestOfData(pair.lab, site),
      (await pair.writer.rows(site)).length,
      (await pair.writer.keys(site)).numbers.length,
    ]);
  return (await of(from)) === (await of(to));
}

/** The source serves and takes writes, and the other site is what it was. */
async function judgeAsBefore(say: Differences, pair: Pair, ended: MoveEnded): Promise<void> {
  const { lab, writer } = pair;
  const { scene, from, to, fence, stores } = ended;
  const taken = await writer.acknowledged('postgres', 5).then(
    () => writer.acknowledged('redis', 5).then(() => true),
    () => false,
  );
  say.same('writes are taken at the source', taken, true);
  const now = await readStores(lab, from);
  say.same('timeline', now.timeline, stores.timeline);
  say.same('read-only', now.readOnly, 'off');
  say.same('Redis', now.redis, 'master');
  say.same('running at the source', await running(lab, from), services(pair, from));
  say.same('fence of the source', await pair.fenceOf(from), undefined);
  if (scene === 'replicate') {
    say.same('fence of the other site', await pair.fenceOf(to), fence);
    say.same('running at the other site', await running(lab, to), []);
    say.same('marks', await marks(pair), {});
    // It was made by the failover, for a site that is to come back.
    say.between('slots', now.slots.length, 0, 1);
    say.same('commits wait for', now.synchronous, '');
    say.same('left beside the data', await pair.leftovers(to), []);
    return;
  }
  say.same('marks', await marks(pair), { [to]: from });
  say.same('standbys', await soon(async () => (await readStores(lab, from)).standbys.length === 1), true);
  say.same(
    'servers that clients reach',
    await serversIn(lab),
    SITES.flatMap((site) => GATEWAYS.map((name) => `${site}-${name}`)),
  );
}

/** Begun anew: once for each kill that can have met it at work. */
function again(cells: readonly Cell[], id: string): number {
  return cells.filter(
    (cell) =>
      (kills(cell) || cell.moment === 'new-build') &&
      (cell.id === id
        ? cell.moment === 'byte' || cell.moment === 'rename' || cell.moment === 'new-build'
        : branchOfMove(cell.id) === branchOfMove(id) &&
          !comesAfter(cell.scene, cell.id, id) &&
          !comesAfter(cell.scene, id, cell.id)),
  ).length;
}

function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const slot = (site: SiteName): string => `tyk_dr_${site}`;

const services = ({ lab }: Pair, site: SiteName): string[] =>
  siteServices(lab.lab).map((service) => `${site}-${service}`);

function startsOf({ starts }: Witnesses, site: SiteName): Record<string, number> {
  return Object.fromEntries(Object.entries(starts).filter(([name]) => name.startsWith(`${site}-`)));
}

async function marks(pair: Pair): Promise<Record<string, string>> {
  const found = await Promise.all(SITES.map(async (site) => [site, (await pair.markOf(site))?.of] as const));
  return Object.fromEntries(found.filter(([, of]) => of !== undefined)) as Record<string, string>;
}
