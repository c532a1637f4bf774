import { formatBytes, formatDuration } from './duration.ts';
import { doubtful, fine, wrong, type Finding } from './doctor.ts';
import type { CommitFigures, HostFigures, ReplicationFigures, SlotFigure, SlotFigures } from './figures.ts';
import { groupBy } from './group.ts';
import { standingText, type StoreStanding } from './replication.ts';
import { liveHosts } from './standing.ts';

/** Whether somebody follows the site that serves, how closely, and what that costs it. Pure. */

/** Nothing where the strategy does not replicate, or no site, or more than one, serves: that is said elsewhere. */
export function judgeReplication(hosts: readonly HostFigures[]): Finding[] {
  const live = liveHosts(hosts);
  const own = live.find(({ replication }) => replication)?.replication;
  if (!own) return [];
  const { site } = live[0]!;
  const others = groupBy(
    hosts.filter((host) => host.site !== site && host.replication),
    (host) => host.site,
  );
  const following = [...others].filter(([, group]) =>
    group.some(({ replication }) => replication?.follows === site),
  );
  return [
    ...(following.length > 0 ? [] : [nobodyFollows(own, site, others)]),
    ...[...others].flatMap(([other, group]) => followsAnother(other, group, site)),
    ...following.flatMap(([other, group]) => judgeStandby(other, group, { ...own, live: site })),
    ...live
      .flatMap(({ replication }) => replication?.commits ?? [])
      .flatMap((commits) => judgeCommits(site, commits, own.deployment, following[0]?.[0])),
    ...live
      .flatMap(({ replication }) => replication?.slots ?? [])
      .flatMap((slots) =>
        judgeSlots(site, slots, { deployment: own.deployment, following: following.map(([name]) => name) }),
      ),
  ];
}

const makeIt = (deployment: string, site: string): string =>
  `Make it follow: tyk-dr replicate ${deployment} --to ${site}.`;

function nobodyFollows(
  { deployment }: ReplicationFigures,
  site: string,
  others: ReadonlyMap<string, readonly HostFigures[]>,
): Finding {
  if (others.size === 0)
    return wrong(
      'replication',
      site,
      `whether anybody follows ${site} is not measured: no worker of another site answers`,
      'Start the worker of the standby on its host: tyk-dr worker NAME.',
    );
  return wrong(
    'replication',
    site,
    `nobody follows ${site}`,
    makeIt(deployment, [...others.keys()].join('|')),
  );
}

function followsAnother(other: string, group: readonly HostFigures[], site: string): Finding[] {
  const found = group.flatMap(({ replication }) => replication ?? []);
  const another = found.find(({ follows }) => follows !== undefined && follows !== site);
  if (!another) return [];
  const text = `${other} is a standby of ${another.follows}, which does not serve: ${site} does`;
  return [wrong('replication', other, text, makeIt(another.deployment, other))];
}

function judgeStandby(
  site: string,
  group: readonly HostFigures[],
  own: ReplicationFigures & { readonly live: string },
): Finding[] {
  const seen = group.flatMap(({ measuredAt, replication }) =>
    (replication?.standing ?? []).map((standing) => ({ standing, measuredAt })),
  );
  const missing = own.stores.filter((store) => !seen.some(({ standing }) => standing.store === store));
  return [
    ...seen.map(({ standing, measuredAt }) => judgeStore(site, standing, measuredAt, own)),
    ...missing.map((store) =>
      wrong(
        'replication',
        site,
        `its ${store} is not measured: the worker of its host does not answer`,
        'Start the worker on its host: tyk-dr worker NAME.',
      ),
    ),
  ];
}

function judgeStore(
  site: string,
  standing: StoreStanding,
  measuredAt: string,
  { maxLagMs, deployment, live }: ReplicationFigures & { readonly live: string },
): Finding {
  const { store, role, elected, streaming, lagMs, markedAt, promoted } = standing;
  const text = `${store} ${standingText(standing)}`;
  if (role === 'unreachable')
    return wrong('replication', site, text, 'Start it, or see why it does not answer; its log says more.');
  if (elected)
    return wrong(
      'replication',
      site,
      `${store} ${standingText(standing)}, without a failover`,
      `Let the rest follow, which adopts it: tyk-dr failover ${deployment} --to ${site}.`,
    );
  if (promoted)
    return doubtful(
      'replication',
      site,
      text,
      `Clients write to it across the sites, while ${live} serves the rest. Let ${site} take over with tyk-dr failover ${deployment} --to ${site}; or give the master back: redis-cli -p 26379 SENTINEL FAILOVER NAME.`,
    );
  if (role === 'writes')
    return wrong(
      'replication',
      site,
      `${text}: it is no replica, although the site is marked as a standby`,
      `Whatever was written there is on no other site. ${makeIt(deployment, site)}`,
    );
  if (streaming !== true)
    return wrong(
      'replication',
      site,
      text,
      `See its log: name, route, firewall, password. Where it needs a new copy: tyk-dr replicate ${deployment} --to ${site}.`,
    );
  if (lagMs !== undefined && lagMs > maxLagMs)
    return wrong(
      'replication',
      site,
      `${text}; the limit is ${formatDuration(maxLagMs)}`,
      'The standby or the network is too slow for what is written, or replay waits for a query there.',
    );
  if (markedAt === undefined)
    return doubtful(
      'replication',
      site,
      text,
      'Declare a beacon: only its watermarks tell how far it is behind.',
    );
  const ageMs = Date.parse(measuredAt) - Date.parse(markedAt);
  if (ageMs > Math.max(maxLagMs, MARK_SILENCE_MS))
    return doubtful(
      'replication',
      site,
      `${text}; but its newest watermark is ${formatDuration(ageMs)} old`,
      'The beacon of the site that serves does not write, or the clocks differ: see its worker.',
    );
  return fine('replication', site, text);
}

/** Where a commit waits for a standby that is away, no write ends: nothing else looks wrong then. */
function judgeCommits(
  site: string,
  { wanted, names, confirmed, waiting }: CommitFigures,
  deployment: string,
  standby: string | undefined,
): Finding[] {
  const change = (how: 'on' | 'off'): string =>
    `tyk-dr replicate ${deployment} --to ${standby ?? 'SITE'} --synchronous ${how}`;
  if (names === '' && (!wanted || standby === undefined)) return [];
  if (names === '')
    return [
      doubtful(
        'replication',
        site,
        'commits wait for no standby, although replication.database.mode is synchronous',
        `What is acknowledged now may be lost with ${site}. Once the standby is level: ${change('on')}.`,
      ),
    ];
  if (confirmed) return [fine('replication', site, `commits wait for ${names}, which confirms them`)];
  return [
    wrong(
      'replication',
      site,
      `WRITES STAND STILL: commits of the database wait for ${names}, which confirms none (${waiting} wait now)`,
      `Bring the standby back, or go on without it: ${change('off')}. What is written then is only on ${site}.`,
    ),
  ];
}

/** A beacon writes every second or so. */
const MARK_SILENCE_MS = 60_000;

interface Followed {
  readonly deployment: string;
  readonly following: readonly string[];
}

function judgeSlots(site: string, figures: SlotFigures, { deployment, following }: Followed): Finding[] {
  const { keepBytes, freeBytes, slots } = figures;
  const found: Finding[] = [];
  if (keepBytes === undefined)
    found.push(
      wrong(
        'replication',
        site,
        'max_slot_wal_keep_size is -1: a standby that stays away fills the disk',
        `Set it, as tyk-dr replicate ${deployment} does from replication.database.keepBytes.`,
      ),
    );
  for (const each of following)
    if (!slots.some((slot) => slot.site === each))
      found.push(
        wrong(
          'replication',
          site,
          `there is no slot for ${each}: WAL that it still needs may be gone at any checkpoint`,
          `Make one, and a new copy: tyk-dr replicate ${deployment} --to ${each}.`,
        ),
      );
  return [
    ...found,
    ...slots.map((slot) => judgeSlot(site, slot, { freeBytes, keepBytes }, { deployment, following })),
  ];
}

/** From there on, people should look before the limit is reached. */
const MUCH = 0.5;

function judgeSlot(
  site: string,
  slot: SlotFigure,
  { freeBytes, keepBytes }: Pick<SlotFigures, 'freeBytes'> & { readonly keepBytes: number | undefined },
  { deployment, following }: Followed,
): Finding {
  const { site: standby, active, status } = slot;
  const text = slotText(slot, { freeBytes, ...(keepBytes === undefined ? {} : { keepBytes }) });
  const again = `tyk-dr replicate ${deployment} --to ${standby}`;
  if (status === 'lost')
    return wrong(
      'replication',
      site,
      `${text}: what ${standby} needs is gone`,
      `It needs a new copy: ${again}.`,
    );
  if (!active && !following.includes(standby))
    return doubtful(
      'replication',
      site,
      `${text}, and ${standby} does not follow`,
      `Let it follow (${again}), or drop the slot where the site is gone for good.`,
    );
  if (!active)
    return wrong(
      'replication',
      site,
      `${text}: nobody reads it`,
      `See why ${standby} does not stream, before the limit is reached.`,
    );
  if (status === 'unreserved' || (keepBytes !== undefined && slot.heldBytes > keepBytes * MUCH))
    return doubtful(
      'replication',
      site,
      `${text}: ${standby} falls behind`,
      'Past the limit it needs a new copy.',
    );
  const toCome = keepBytes === undefined ? 0 : Math.max(0, keepBytes - slot.heldBytes);
  if (toCome > freeBytes)
    return doubtful(
      'replication',
      site,
      `${text}: were ${standby} away, the disk would be full before that limit`,
      'Lower replication.database.keepBytes, or enlarge the disk.',
    );
  return fine('replication', site, text);
}

/** `the slot for dr holds back 12 MB of at most 8.6 GB, 40 GB are free`. */
export function slotText(
  { site, heldBytes, status }: SlotFigure,
  { keepBytes, freeBytes }: Omit<SlotFigures, 'slots'>,
): string {
  const limit = keepBytes === undefined ? 'without a limit' : `of at most ${formatBytes(keepBytes)}`;
  const state = status === 'reserved' || status === 'extended' ? '' : ` (${status})`;
  return `the slot for ${site} holds back ${formatBytes(heldBytes)} ${limit}${state}, ${formatBytes(freeBytes)} are free`;
}
