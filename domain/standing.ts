import { formatDuration } from './duration.ts';
import {
  STORES,
  type ArchiveFigures,
  type HostFigures,
  type SetFigures,
  type SnapshotFigures,
  type Store,
} from './figures.ts';
import { standbyExposure } from './standby-exposure.ts';

/**
 * How much would be lost now, store by store, against the RPO: from figures that workers measured and sets that
 * were proven. Never from a schedule's promise. Pure.
 */

export interface Trend {
  readonly value: number;
  /** Against the median of those before, percent. */
  readonly changePercent?: number;
}

export interface Standing {
  readonly store: Store;
  readonly state: 'in bounds' | 'out of bounds' | 'not measured';
  readonly rpoMs: number;
  readonly exposureMs?: number;
  /** What it is measured against, or why it could not be measured. */
  readonly basis: string;
  /** What it would be without the standby that makes it smaller: what damages the data damages both. */
  readonly fromSets?: Exposure;
  readonly lastSuccess?: string;
  readonly lastVerified?: string;
  readonly bytes?: Trend;
  readonly durationMs?: Trend;
  /** Of a database that archives its WAL, where there are off-site copies. */
  readonly offSiteWal?: readonly OffSiteWal[];
  /** The segment that its archive here ends with. */
  readonly archivedThrough?: string;
}

/** One for each store that the live site has; all 'not measured' where no site is live. */
export function standings(
  hosts: readonly HostFigures[],
  stores: readonly Store[],
  rpoMs: number,
): Standing[] {
  const found = hosts.find((host) => host.sets);
  const sets = found?.sets && withSnapshots(found.sets, found.snapshots ?? []);
  const live = liveHosts(hosts);
  return stores.map((store) => {
    const holding = (sets ?? []).filter((set) => set.stores[store]);
    const fromSets = sets === undefined ? NO_SETS : exposureOf(store, live, holding);
    const standby = standbyExposure(hosts, live[0]?.site, store);
    const verified = holding.find(({ verifiedAt }) => verifiedAt);
    return {
      store,
      rpoMs,
      ...withStandby(fromSets, standby, rpoMs),
      ...(holding[0] ? { lastSuccess: holding[0].createdAt } : {}),
      ...(verified?.verifiedAt === undefined ? {} : { lastVerified: verified.verifiedAt }),
      ...trendOf('bytes', holding, store),
      ...trendOf('durationMs', holding, store),
      ...(store === 'database' ? walOf(live, holding) : {}),
    };
  });
}

/** A snapshot is used with its set: it is no better proven, and no farther away, than that. */
function withSnapshots(sets: readonly SetFigures[], snapshots: readonly SnapshotFigures[]): SetFigures[] {
  const usable = snapshots.flatMap((snapshot): SetFigures[] => {
    const parent = sets.find(({ set }) => set === snapshot.belongsTo);
    if (!parent) return [];
    const { verifiedAt, copies = [], ...rest } = snapshot;
    const there = parent.copies ?? [];
    return [
      {
        ...rest,
        ...(verifiedAt !== undefined && parent.verifiedAt !== undefined ? { verifiedAt } : {}),
        copies: copies.filter(({ name }) => there.some((copy) => copy.name === name)),
      },
    ];
  });
  return [...sets, ...usable].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

function walOf(
  live: readonly HostFigures[],
  holding: readonly SetFigures[],
): Pick<Standing, 'offSiteWal' | 'archivedThrough'> {
  const server = live.find(({ archive }) => archive);
  if (!server?.offSite || !server.archive) return {};
  const { generation, archivedThrough } = server.archive;
  return {
    offSiteWal: offSiteWal(holding, generation),
    ...(archivedThrough === undefined ? {} : { archivedThrough }),
  };
}

/** The stores that the hosts serve, in our order. */
export function storesOf(hosts: readonly HostFigures[]): Store[] {
  return STORES.filter((store) => hosts.some(({ serves }) => serves.includes(store)));
}

interface Exposure {
  readonly exposureMs?: number;
  readonly basis: string;
}

/** A standby makes smaller what would be lost with the site. It takes the place of no proven set. */
function withStandby(
  fromSets: Exposure,
  standby: Required<Exposure> | undefined,
  rpoMs: number,
): Pick<Standing, 'state' | 'exposureMs' | 'basis' | 'fromSets'> {
  const { exposureMs: fromSetsMs, basis } = fromSets;
  if (!standby || standby.exposureMs >= (fromSetsMs ?? Infinity))
    return { state: stateOf(fromSets, rpoMs), ...fromSets };
  const without = fromSetsMs === undefined ? basis : `${formatDuration(fromSetsMs)}: ${basis}`;
  return {
    state: stateOf(fromSetsMs === undefined ? fromSets : standby, rpoMs),
    ...{ exposureMs: standby.exposureMs, basis: `${standby.basis}; from sets alone ${without}`, fromSets },
  };
}

const NO_SETS: Exposure = { basis: 'no worker could read the repository' };
/** Known, and without bound: all of the store would be lost. */
const NOTHING_VERIFIED: Exposure = { basis: 'no set is verified: all of it would be lost' };
const NOTHING_OFF_SITE: Exposure = { basis: 'no verified set is in an off-site copy' };

function stateOf(measured: Exposure, rpoMs: number): Standing['state'] {
  if (measured === NOTHING_VERIFIED || measured === NOTHING_OFF_SITE) return 'out of bounds';
  if (measured.exposureMs === undefined) return 'not measured';
  return measured.exposureMs > rpoMs ? 'out of bounds' : 'in bounds';
}

/** The workers of the one site whose every worker says that it serves. */
export function liveHosts(hosts: readonly HostFigures[]): HostFigures[] {
  const live = liveSites(hosts);
  return live.length === 1 ? hosts.filter(({ site }) => site === live[0]) : [];
}

export function liveSites(hosts: readonly HostFigures[]): string[] {
  const sites = [...new Set(hosts.map(({ site }) => site))];
  return sites.filter((site) => hosts.every((host) => host.site !== site || host.live));
}

function exposureOf(store: Store, live: readonly HostFigures[], holding: readonly SetFigures[]): Exposure {
  const server = live.find(({ serves }) => serves.includes(store));
  if (!server) return { basis: 'no site, or more than one, runs its stores' };
  const verified = holding.filter(({ verifiedAt }) => verifiedAt !== undefined);
  const counted = server.offSite ? verified.filter(({ copies = [] }) => copies.length > 0) : verified;
  const [newest] = counted;
  if (!newest) return verified.length > 0 ? NOTHING_OFF_SITE : NOTHING_VERIFIED;
  if (store === 'config') return configExposure(live, newest);
  const age = (at: string): number => Math.max(0, Date.parse(server.measuredAt) - Date.parse(at));
  const candidates = [
    {
      exposureMs: age(newest.stores[store]!.pointAt),
      basis: `verified ${nameOf(newest)}${server.offSite ? `, off-site at ${newest.copies!.map(({ name }) => name).join(', ')}` : ''}`,
    },
    ...(server.offSite
      ? store === 'database'
        ? shippedWal(server, newest, holding)
        : []
      : localPoints(store, live, server, verified, age)),
  ];
  return candidates.reduce((best, each) => (each.exposureMs < best.exposureMs ? each : best));
}

function nameOf(figures: SetFigures): string {
  return 'belongsTo' in figures ? `snapshot ${figures.set}` : `set ${figures.set}`;
}

/** At most one timeout's worth of what was written was not archived when the WAL was shipped. */
function shippedWal(
  { archive, measuredAt }: HostFigures,
  base: SetFigures,
  holding: readonly SetFigures[],
): { exposureMs: number; basis: string }[] {
  if (!archive?.timeoutMs || archive.generation !== base.generation) return [];
  if (isFailing(archive)) return [];
  const names = (base.copies ?? []).map(({ name }) => name);
  return offSiteWal(holding, base.generation)
    .filter(({ name }) => names.includes(name))
    .map(({ name, at, through }) => ({
      exposureMs: Math.max(0, Date.parse(measuredAt) - archivedBy(archive, at)),
      basis: `WAL shipped to ${name} at ${at}${through === undefined ? '' : ` through ${through}`}, behind set ${base.set}`,
    }));
}

/** What was written before this (Unix milliseconds) was in the archive at that time: earlier where segments wait. */
function archivedBy({ timeoutMs, waiting, archivedAt = '' }: ArchiveFigures, at: string): number {
  const byTimeout = Date.parse(at) - timeoutMs;
  return waiting > 0 && archivedAt !== '' ? Math.min(byTimeout, Date.parse(archivedAt)) : byTimeout;
}

/** Up to where WAL is off-site, copy by copy. */
export interface OffSiteWal {
  readonly name: string;
  readonly at: string;
  readonly through?: string;
}

/** The newest point of each copy: between the sets of one repository there is no gap at a copy. */
export function offSiteWal(sets: readonly SetFigures[], generation: string | undefined): OffSiteWal[] {
  const newest = new Map<string, OffSiteWal>();
  for (const set of sets.filter((each) => generation !== undefined && each.generation === generation))
    for (const { name, at, walAt, walThrough } of set.copies ?? []) {
      const found = { name, at: walAt ?? at, ...(walThrough === undefined ? {} : { through: walThrough }) };
      if ((newest.get(name)?.at ?? '') < found.at) newest.set(name, found);
    }
  return [...newest.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function isFailing({ failedAt, archivedAt = '' }: ArchiveFigures): boolean {
  return failedAt !== undefined && failedAt > archivedAt;
}

/** What is newer than the sets, and lies in the repository itself. */
function localPoints(
  store: Store,
  live: readonly HostFigures[],
  server: HostFigures,
  verified: readonly SetFigures[],
  age: (at: string) => number,
): { exposureMs: number; basis: string }[] {
  return [
    ...live
      .flatMap(({ points }) => points)
      .filter((point) => point.store === store)
      .map(({ at, label }) => ({ exposureMs: age(at), basis: label })),
    ...(store === 'database' ? archiveExposure(server, verified) : []),
  ];
}

/** WAL counts only behind a verified set in the same repository: without a base it restores nothing. */
function archiveExposure(
  { archive, measuredAt }: HostFigures,
  verified: readonly SetFigures[],
): { exposureMs: number; basis: string }[] {
  const base = verified.find(
    ({ generation }) => generation !== undefined && generation === archive?.generation,
  );
  if (!archive?.archivedAt || !base) return [];
  const ageMs = Math.max(0, Date.parse(measuredAt) - Date.parse(archive.archivedAt));
  const failing = isFailing(archive);
  const idle = !failing && archive.waiting === 0 && archive.timeoutMs > 0;
  // A server that wrote nothing archives nothing: then at most one timeout's worth is not archived.
  const exposureMs = idle ? Math.min(ageMs, archive.timeoutMs) : ageMs;
  const how = failing ? ', archiving FAILS since' : '';
  return [{ exposureMs, basis: `WAL archived until ${archive.archivedAt}${how}, behind set ${base.set}` }];
}

/** What was changed after the set began is not surely in it; what was not changed cannot be lost. */
function configExposure(live: readonly HostFigures[], newest: SetFigures): Exposure {
  const { startedAt } = newest;
  const changes = live.flatMap(({ configChangedAt }) => configChangedAt ?? []).sort();
  const changedAt = changes.at(-1);
  const [host] = live;
  if (changedAt === undefined || !host)
    return { basis: 'the configuration of the live site could not be read' };
  if (changedAt < startedAt) return { exposureMs: 0, basis: `unchanged since verified ${nameOf(newest)}` };
  return {
    exposureMs: Math.max(0, Date.parse(host.measuredAt) - Date.parse(startedAt)),
    basis: `changed at ${changedAt}, after verified ${nameOf(newest)}`,
  };
}

/** Enough to tell a trend from chance, few enough to follow a data set that grows. */
const COMPARED = 7;

function trendOf<Name extends 'bytes' | 'durationMs'>(
  name: Name,
  holding: readonly SetFigures[],
  store: Store,
): Partial<Record<Name, Trend>> {
  const values = holding.flatMap((set) => set.stores[store]?.[name] ?? []);
  const [value, ...before] = values.slice(0, COMPARED + 1);
  if (value === undefined) return {};
  const median = before.sort((a, b) => a - b)[Math.floor(before.length / 2)];
  const changePercent =
    median === undefined || median === 0 ? undefined : Math.round((value / median - 1) * 100);
  return { [name]: { value, ...(changePercent === undefined ? {} : { changePercent }) } } as Partial<
    Record<Name, Trend>
  >;
}

export function exposureText({ exposureMs, state }: Pick<Standing, 'exposureMs' | 'state'>): string {
  if (exposureMs !== undefined) return formatDuration(exposureMs);
  return state === 'out of bounds' ? 'everything' : 'not measured';
}

/** One line for people: `redis: 7 min 10 s exposed (RPO 5 min 00 s), verified set ...`. */
export function standingLine(standing: Standing): string {
  const { store, state, rpoMs, basis } = standing;
  return `${store}: exposure ${exposureText(standing)}, RPO ${formatDuration(rpoMs)}: ${state} (${basis})`;
}
