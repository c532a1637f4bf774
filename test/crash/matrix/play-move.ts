import { readFile } from 'node:fs/promises';
import { parseWitness, isFailure } from '../../../lab/clients/witness.ts';
import { compareJournal, type Store } from '../../../lab/clients/journal.ts';
import { outside, type SiteName } from '../../../lab/layout.ts';
import type { Outcome } from '../../../domain/run.ts';
import type { Answer } from '../../harness/lab.ts';
import type { Cell, MoveName } from './cells.ts';
import { judgeMove, type MoveEnded } from './judge-move.ts';
import type { Pair } from './pair.ts';
import { disturbed, endOf, plantedBy, recordIn, storyOf, unfired, type Played } from './play.ts';
import { digestOfData, readWitnesses, since } from './witnesses.ts';
import { readStores } from './move-witnesses.ts';

/** Plays cells in one run between two sites, and says what was not as it must be. */

/** What happens besides the cells. */
export interface Besides {
  /** Planted as well: where the run is to be held. */
  readonly faults?: readonly string[];
  readonly outcome?: Outcome;
  /** A person is there. */
  readonly asks?: boolean;
  readonly meanwhile?: (over: AbortSignal) => Promise<void>;
  /** Once the run has ended. */
  readonly afterwards?: () => Promise<void>;
  /** Services that must be started once more than by themselves. */
  readonly restarted?: readonly string[];
}

export async function playMove(
  pair: Pair,
  scene: MoveName,
  cells: readonly Cell[],
  besides: Besides = {},
): Promise<Played> {
  await pair.set(scene, [...cells.flatMap(plantedBy), ...(besides.faults ?? [])]);
  const { serving: from, other: to, abandoned, lab } = pair;
  const [before, lostBefore, stores, copies, data, fence] = await Promise.all([
    readWitnesses(lab),
    lostAt(pair, from),
    readStores(lab, from),
    pair.copies(),
    digestOfData(lab, from),
    pair.fenceOf(to),
  ]);
  // Once with a site that lives on, once with one that is gone.
  const isLost = scene === 'forced' && Math.random() < 0.5;
  if (isLost) await pair.lose();
  const startedAt = performance.now();
  const begunAt = new Date().toISOString();
  const asks = besides.asks ?? cells.some(({ expected }) => expected.retry);
  const over = new AbortController();
  const run = async (): Promise<Answer> => {
    const own = await pair.run(scene, !asks);
    return own.exitCode < 0 ? lab.run('status', 'acme', '--watch', '--json') : own;
  };
  const [answer] = await Promise.all([
    disturbed(pair, cells, () => run().finally(() => over.abort())),
    besides.meanwhile?.(over.signal),
  ]);
  await besides.afterwards?.();
  const ms = performance.now() - startedAt;
  const record = recordIn(answer);
  if (!record) throw new Error(`no record, and where the lab stands is not known: ${endOf(answer)}`);
  const trace = await pair.trace();
  const ended: MoveEnded = {
    ...{ record, exitCode: answer.exitCode, from, to, scene, fence, stores, data, lostBefore, abandoned },
    ...{ outcome: besides.outcome, restarted: besides.restarted ?? [] },
    happened: since(before, await readWitnesses(lab)),
    copies: (await pair.copies()) - copies,
    failedRequests: await failedSince(pair, begunAt),
    lostNow: () => lostAt(pair, pair.serving),
  };
  if (ENDED_WELL.has(record.outcome!)) pair.moved(scene);
  const problems = [...(await unfired(pair, cells)), ...(await judgeMove(pair, cells, ended))];
  await pair.writer.stop();
  return {
    problems: problems.length > 0 ? [...problems, ...storyOf(record)] : problems,
    ...{ outcome: record.outcome!, ms, trace },
  };
}

const ENDED_WELL: ReadonlySet<string> = new Set([
  ...['RECOVERED', 'RECOVERED_WITH_EXCEPTIONS', 'REPLICATED', 'REPLICATED_WITH_EXCEPTIONS'],
]);

/** Acknowledged writes that a site does not have. */
async function lostAt({ writer }: Pair, site: SiteName): Promise<Record<Store, number>> {
  const [rows, keys] = [await writer.journal('postgres'), await writer.journal('redis')];
  return {
    postgres: compareJournal(rows, await writer.rows(site)).lost,
    redis: compareJournal(keys, (await writer.keys(site)).numbers).lost,
  };
}

async function failedSince({ lab }: Pair, at: string): Promise<number> {
  const text = await readFile(outside(lab.lab, 'witness', 'clients.jsonl'), 'utf8');
  return parseWitness(text).filter((answer) => answer.at >= at && isFailure(answer)).length;
}
