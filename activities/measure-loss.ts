import { readExposures } from '../adapters/beacon/exposure.ts';
import { journalFolders } from '../adapters/beacon/files.ts';
import { readBeaconJournal, type Journal, type Recovery } from '../adapters/beacon/read.ts';
import { writeRecovery } from '../adapters/beacon/write.ts';
import { readRun } from '../adapters/backup/runs.ts';
import { MARKED_STORES, type MarkedStore, type Run } from '../domain/beacon.ts';
import { wayTo } from '../domain/beacon-way.ts';
import type { BeaconConfig } from '../domain/config.ts';
import { exposureOf } from '../domain/exposure.ts';
import {
  lossException,
  lossLine,
  lossProof,
  measureLoss,
  type Journalled,
  type StoreLoss,
} from '../domain/loss.ts';
import type { LostItems } from '../domain/lost-items.ts';
import type { MeasureLossResult } from '../domain/plan.ts';
import { fetchJournal } from './fetch-journal.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { nameLosses } from './name-losses.ts';
import { markedStores, readMarks } from './watermarks.ts';

/**
 * What the recovery has lost, by the watermarks of the recovered stores and the journal outside. It reads the stores,
 * and leaves in the journal what it found: from then on the site's own beacon may write.
 */

const SECOND_MS = 1000;

export function createMeasureLossActivities(deps: Deps) {
  return { 'measure-loss': guarded(deps, 'probe', measure) };
}

/** Never fails a recovery for what cannot be measured: it is said, and does not count as met. */
async function measure(call: Call): Promise<MeasureLossResult> {
  const { deployment, input } = call;
  const stores = measuredStores(call);
  if (stores.length === 0) return { summary: 'no store of the site is on this host', losses: [] };
  const { beacon } = deployment;
  if (!beacon)
    return told(
      call,
      stores.map((store) => ({ store, notMeasured: 'no beacon is configured' })),
    );
  const folders = journalFolders(deployment, input.plan.deployment);
  const near = await readBeaconJournal(folders);
  const isThere = MARKED_STORES.some((store) => near.of(input.plan.from, store).runs.length > 0);
  if (isThere || deployment.backup.copies.length === 0) return measureBy(call, folders, folders, near);
  const fetched = await fetchJournal(call);
  try {
    const all = [...folders, ...fetched.folders];
    return await measureBy(call, folders, all, await readBeaconJournal(all), fetched.notes);
  } finally {
    await fetched.remove().catch(() => undefined);
  }
}

/** @param all where the journal was read from, besides the folders that it is written to */
async function measureBy(
  call: Call,
  folders: readonly string[],
  all: readonly string[],
  journal: Journal,
  origin: readonly string[] = [],
): Promise<MeasureLossResult> {
  const { deployment, input, worker } = call;
  const stores = measuredStores(call);
  const beacon = deployment.beacon!;
  const before = journal.recoveries.find((each) => each.run === input.run && each.worker === worker);
  // The site's beacon has been writing since: what was found then counts.
  if (before) return { ...told(call, before.losses, [], before.lostItems), observed: true };
  const sound = await withoutUndone(call, journal);
  const looks = (await readExposures(all, Date.now())).filter(({ at }) => at <= input.basisAt);
  const exposures = exposureOf(looks);
  const losses = await Promise.all(
    stores.map(async (store): Promise<StoreLoss> => {
      const exposure = exposures.find((each) => each.store === store);
      return { ...(await lossOf(call, sound, beacon, store)), ...(exposure && { exposure }) };
    }),
  );
  const lostItems = await nameLosses(call, all, siteServedLast(sound, input.plan.from), losses);
  const { plan, run, epoch } = input;
  const recovery: Recovery = {
    ...{ run, epoch, from: plan.from, to: plan.to, worker, at: new Date().toISOString(), losses, lostItems },
  };
  // What a drill has brought up serves nobody: the journal of the live site goes on as if it had not been.
  const into = plan.drill === undefined ? folders : [];
  const kept = await Promise.allSettled(into.map((folder) => writeRecovery(folder, recovery)));
  const notes = [
    ...origin,
    ...journal.unreadable.map((place) => `part of the journal could not be read: ${place}`),
    ...(plan.drill !== undefined || kept.some(({ status }) => status === 'fulfilled')
      ? []
      : ['what was measured could not be kept in the journal: the beacon waits until the run has ended']),
    ...(journal.damaged > 0 ? [`${journal.damaged} lines of the journal are damaged and do not count`] : []),
  ];
  return told(call, losses, notes, lostItems);
}

/** Those on this host; a drill of one component has brought back no other. */
function measuredStores({ worker, target, input }: Call): MarkedStore[] {
  const { drill, steps } = input.plan;
  return markedStores(target, worker).filter(
    (store) => drill === undefined || steps.includes(`start-${store}`),
  );
}

async function lossOf(
  call: Call,
  journal: Journal,
  beacon: BeaconConfig,
  store: MarkedStore,
): Promise<StoreLoss> {
  const { input, target, secret } = call;
  try {
    const stepSeconds = beacon.interval / SECOND_MS;
    return measureLoss({
      ...{ store, basisAt: input.basisAt, stepSeconds },
      ...expectedOf(journal, servedLast(journal, input.plan.from, store), store),
      recovered: await readMarks(target, store, secret),
    });
  } catch (error) {
    return { store, notMeasured: error instanceof Error ? error.message : String(error) };
  }
}

/** A run that was undone has lost nothing, and has brought up nothing. */
async function withoutUndone({ deployment, input }: Call, journal: Journal): Promise<Journal> {
  const recoveries: Recovery[] = [];
  for (const recovery of journal.recoveries) {
    const { outcome } = (await readRun(deployment.backup, input.plan.deployment, recovery.run)) ?? {};
    if (outcome === undefined || outcome.startsWith('RECOVERED')) recoveries.push(recovery);
  }
  return { ...journal, recoveries };
}

/**
 * The site whose stores clients wrote to last: the one that failed; or one that a recovery has brought up since, whose
 * journal goes on behind that of the failed one (a run may name the old source, and start the stores as they are).
 */
function servedLast({ recoveries, ...journal }: Journal, from: string, store: MarkedStore): string {
  const newest = (site: string): number => journal.of(site, store).runs.at(-1)?.[1] ?? 0;
  const broughtUp = recoveries.at(-1)?.to;
  return broughtUp !== undefined && newest(broughtUp) > newest(from) ? broughtUp : from;
}

/** Whose Dashboard clients changed things through last. */
const siteServedLast = (journal: Journal, from: string): string => servedLast(journal, from, 'redis');

/** What the failed site held at its end. */
function expectedOf(
  journal: Journal,
  site: string,
  store: MarkedStore,
): { readonly journalled: Journalled; readonly lostBefore: readonly Run[] } {
  const way = wayTo(site, store, journal.recoveries);
  const acks = way.sites.map((each) => journal.of(each, store).acks);
  return {
    journalled: {
      runs: way.numbers((each) => journal.of(each, store).runs),
      ackOf: (number) => acks.map((own) => own.get(number)).find((atMs) => atMs !== undefined),
    },
    lostBefore: way.lost,
  };
}

function told(
  { input }: Call,
  losses: readonly StoreLoss[],
  notes: readonly string[] = [],
  lostItems?: LostItems,
): MeasureLossResult {
  const { rpoMs } = input.plan.objectives;
  const exceptions = losses.flatMap((loss) => lossException(loss, rpoMs) ?? []);
  return {
    summary: [...losses.map(lossLine), ...notes].join('; '),
    proofs: losses.map((loss) => lossProof(loss, rpoMs)),
    ...(exceptions.length > 0 ? { exception: exceptions.join('; ') } : {}),
    losses,
    ...(lostItems ? { lostItems } : {}),
  };
}
