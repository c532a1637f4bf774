import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MARKED_STORES, runsOf, type MarkedStore } from '../../domain/beacon.ts';
import type { Handover } from '../../domain/beacon-way.ts';
import {
  isDaySummary,
  mergeStores,
  parseJournal,
  type ParsedJournal,
  type StoreJournal,
} from '../../domain/beacon-journal.ts';
import { jsonOf } from '../../domain/json.ts';
import type { LostItems } from '../../domain/lost-items.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { recoveriesFolder, sortFiles, summaryName } from './files.ts';

/** Reads the journal of all places together: what one of them has counts. Nothing is written. */

export interface Journal {
  of(site: string, store: MarkedStore): StoreJournal;
  readonly sites: readonly string[];
  readonly recoveries: readonly Recovery[];
  /** Lines and files that cannot be read as what they should be. */
  readonly damaged: number;
  /** Places that could not be read, with why. */
  readonly unreadable: readonly string[];
}

/** What one worker has measured at a recovery, beside the numbers: who goes on from there. */
export interface Recovery extends Handover {
  readonly worker: string;
  readonly lostItems?: LostItems;
}

/** @param since days before this one (`YYYY-MM-DD`) are left out; default: all. */
export async function readBeaconJournal(folders: readonly string[], since = ''): Promise<Journal> {
  const unreadable: string[] = [];
  const places = await Promise.all(
    folders.map((folder) =>
      readPlace(folder, since).catch((error: NodeJS.ErrnoException): Place => {
        unreadable.push(`${folder}: ${error.message}`);
        return { parts: new Map(), damaged: 0, recoveries: [] };
      }),
    ),
  );
  const parts = new Map<string, StoreJournal[]>();
  for (const place of places)
    for (const [key, own] of place.parts) parts.set(key, [...(parts.get(key) ?? []), ...own]);
  const recoveries = new Map(
    places.flatMap((place) => place.recoveries.map((each) => [`${each.run} ${each.worker}`, each])),
  );
  const merged = new Map<string, StoreJournal>();
  return {
    of(site, store) {
      const key = `${site} ${store}`;
      const known = merged.get(key) ?? mergeStores(parts.get(key) ?? []);
      merged.set(key, known);
      return known;
    },
    sites: [...new Set([...parts.keys()].map((key) => key.split(' ')[0]!))],
    recoveries: [...recoveries.values()].sort((a, b) => a.epoch - b.epoch),
    damaged: places.reduce((sum, { damaged }) => sum + damaged, 0),
    unreadable,
  };
}

interface Place {
  /** By `site store`. */
  readonly parts: Map<string, StoreJournal[]>;
  readonly damaged: number;
  readonly recoveries: readonly Recovery[];
}

async function readPlace(folder: string, since: string): Promise<Place> {
  const { logs, summaries } = sortFiles(await readdir(folder));
  const parts = new Map<string, StoreJournal[]>();
  const add = (site: string, store: MarkedStore, part: StoreJournal): void => {
    const key = `${site} ${store}`;
    const own = parts.get(key);
    if (own) own.push(part);
    else parts.set(key, [part]);
  };
  let damaged = 0;
  const summarised = new Set<string>();
  const wanted = summaries.filter((day) => day >= since);
  const read = await mapParallel(wanted, async (day) =>
    jsonOf(await readFile(join(folder, summaryName(day)), 'utf8')),
  );
  for (const [index, summary] of read.entries()) {
    // One that cannot be read is made of the day's own lines again, where they are still there.
    if (!isDaySummary(summary)) {
      damaged += 1;
      continue;
    }
    summarised.add(wanted[index]!);
    damaged += summary.damaged;
    for (const [site, stores] of Object.entries(summary.sites))
      for (const store of MARKED_STORES) add(site, store, { runs: stores[store] ?? [], acks: new Map() });
  }
  for (const day of logs.keys()) {
    if (day < since || summarised.has(day)) continue;
    for (const [site, journal] of await readDay(folder, logs.get(day)!)) {
      damaged += journal.damaged;
      for (const store of MARKED_STORES)
        add(site, store, { runs: runsOf(journal.acks[store].keys()), acks: journal.acks[store] });
    }
  }
  return { parts, damaged, recoveries: await readRecoveries(folder) };
}

/** The lines of one day, by site. */
export async function readDay(
  folder: string,
  files: readonly { readonly name: string; readonly site: string }[],
): Promise<Map<string, ParsedJournal>> {
  const texts = new Map<string, string[]>();
  for (const { name, site } of files)
    texts.set(site, [...(texts.get(site) ?? []), await readFile(join(folder, name), 'utf8')]);
  return new Map([...texts].map(([site, own]) => [site, parseJournal(own)]));
}

/** Oldest first. A file that is none of ours, or half of one, is left out. */
export async function readRecoveries(folder: string): Promise<Recovery[]> {
  const names = await readdir(recoveriesFolder(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = await mapParallel(
    names.filter((name) => name.endsWith('.json')),
    async (name) =>
      jsonOf(await readFile(join(recoveriesFolder(folder), name), 'utf8')) as Recovery | undefined,
  );
  return found
    .filter((each): each is Recovery => typeof each?.epoch === 'number' && Array.isArray(each.losses))
    .sort((a, b) => a.epoch - b.epoch);
}
