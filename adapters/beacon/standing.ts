import { readdir } from 'node:fs/promises';
import { MARKED_STORES, momentOf, type MarkedStore } from '../../domain/beacon.ts';
import type { BackupConfig, BeaconConfig } from '../../domain/config.ts';
import { exposureOf, type StoreExposure } from '../../domain/exposure.ts';
import type { StoreLoss } from '../../domain/loss.ts';
import { readExposures } from './exposure.ts';
import { dayOf, journalFolders } from './files.ts';
import { readBeaconJournal } from './read.ts';

/** How things stand with the loss of a deployment, by what lies beside its journal: for status and metrics. */

export interface LossStanding {
  readonly exposure: readonly StoreExposure[];
  /** The newest number that each site's stores have acknowledged, of today and yesterday. */
  readonly newest: readonly { readonly site: string; readonly store: MarkedStore; readonly at: string }[];
  /** What the newest recovery has lost. */
  readonly recovery?: { readonly run: string; readonly at: string; readonly losses: readonly StoreLoss[] };
  readonly unreadable: readonly string[];
}

const DAY_MS = 86_400_000;

/** Undefined where no beacon is configured, or its journal cannot be seen from here. */
export async function lossStanding(
  deployment: string,
  section: { readonly backup: Pick<BackupConfig, 'repository'>; readonly beacon?: BeaconConfig | undefined },
  nowMs = Date.now(),
): Promise<LossStanding | undefined> {
  if (!section.beacon) return undefined;
  const folders = journalFolders(section, deployment);
  const seen = await Promise.all(
    folders.map((folder) =>
      readdir(folder).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (!seen.includes(true)) return undefined;
  const [journal, samples] = await Promise.all([
    readBeaconJournal(folders, dayOf(nowMs - DAY_MS)),
    readExposures(folders, nowMs),
  ]);
  const last = journal.recoveries.at(-1);
  const newest = journal.sites.flatMap((site) =>
    MARKED_STORES.flatMap((store) => {
      const number = journal.of(site, store).runs.at(-1)?.[1];
      return number === undefined ? [] : [{ site, store, at: momentOf(number) }];
    }),
  );
  return {
    exposure: exposureOf(samples),
    newest,
    ...(last && {
      recovery: {
        ...{ run: last.run, at: last.at },
        losses: journal.recoveries.filter(({ run }) => run === last.run).flatMap(({ losses }) => losses),
      },
    }),
    unreadable: journal.unreadable,
  };
}
