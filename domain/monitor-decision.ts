import { formatDuration } from './duration.ts';
import type { DeadPart, Glance } from './monitor-glance.ts';
import type { SiteStanding } from './monitor-standing.ts';
import type { Acted, Heal, MonitorSettings, ReplicationStanding, Watched } from './monitor.ts';
import type { Standing } from './standing.ts';

/** What is to be done about what was seen: nothing, a component started again, or the site given up. Pure. */

export type Decision =
  | { readonly do: 'nothing'; readonly why?: string }
  | { readonly do: 'heal'; readonly part: DeadPart }
  | { readonly do: 'give-up' };

export interface Situation {
  readonly standing: SiteStanding;
  readonly seen: Glance;
  /** Why no decision is taken now: a pause, or a run that holds the lock. */
  readonly suspended?: string;
  readonly heals: readonly Heal[];
  readonly acted?: Acted;
}

type Rules = Pick<MonitorSettings, 'heal'>;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function decide(situation: Situation, rules: Rules, nowMs: number): Decision {
  const { standing, suspended, acted } = situation;
  if (suspended !== undefined) return { do: 'nothing', why: suspended };
  const healing = toHeal(situation, rules, nowMs);
  if (healing.part) {
    const dueMs = deadFor(standing, healing.part.component, nowMs) - rules.heal!.afterMs;
    return dueMs >= 0 ? { do: 'heal', part: healing.part } : { do: 'nothing' };
  }
  if (standing.state !== 'failed' || acted)
    return { do: 'nothing', ...(healing.why && { why: healing.why }) };
  return { do: 'give-up' };
}

/** When a heal becomes due, Unix milliseconds. */
export function healDueMs(situation: Situation, rules: Rules, nowMs: number): number | undefined {
  if (situation.suspended !== undefined) return undefined;
  const { part } = toHeal(situation, rules, nowMs);
  const since = part && situation.standing.deadSince[part.component];
  return since === undefined ? undefined : Date.parse(since) + rules.heal!.afterMs;
}

/** The component that may be started again, now or once it has been dead for long enough. */
function toHeal(
  { standing, seen, heals }: Situation,
  { heal }: Rules,
  nowMs: number,
): { readonly part?: DeadPart; readonly why?: string } {
  // The Pump has no runbook of its own, and clients do not miss it.
  const dead = seen.dead.filter(({ component }) => component !== 'pump');
  const [part] = dead;
  if (!heal || !part || standing.state === 'failed') return {};
  const served = seen.level === 'healthy' || seen.level === 'degraded';
  if (!served && dead.length > 1) return { why: 'more than one component is dead' };
  const recent = heals.filter(({ at }) => nowMs - Date.parse(at) < HOUR_MS);
  if (recent.length >= heal.perHour)
    return { why: `${recent.length} components were started again within the hour: that is the limit` };
  const last = recent.findLast(({ component }) => component === part.component);
  // Clients wait: what has not helped is not tried twice.
  if (!served && last && last.curedAt === undefined)
    return { why: `${part.component} was started again in ${last.run}, which did not help` };
  return { part };
}

function deadFor({ deadSince }: SiteStanding, component: Watched, nowMs: number): number {
  const since = deadSince[component];
  return since === undefined ? 0 : nowMs - Date.parse(since);
}

/** Marks those that are alive again. */
export function withCures(heals: readonly Heal[], { dead }: Glance, nowMs: number): Heal[] {
  return heals
    .filter(({ at }) => nowMs - Date.parse(at) < DAY_MS)
    .map((heal) =>
      heal.curedAt !== undefined || dead.some(({ component }) => component === heal.component)
        ? heal
        : { ...heal, curedAt: new Date(nowMs).toISOString() },
    );
}

/** Why nothing is started by itself; undefined where it may be. `not known` is never good enough. */
export function startObjection(
  known: ReplicationStanding,
  starts: readonly string[],
  { rpoMs, budgetPerDay }: Pick<MonitorSettings, 'rpoMs' | 'budgetPerDay'>,
  nowMs: number,
): string | undefined {
  const used = starts.filter((at) => nowMs - Date.parse(at) < DAY_MS).length;
  if (used >= budgetPerDay) return `${used} of ${budgetPerDay} automatic starts in 24 hours are used`;
  if (known.stores.length === 0)
    return `how much would be lost is not known: ${known.why ?? 'nobody has measured it'}`;
  for (const { store, lagMs, why } of known.stores) {
    if (lagMs === undefined)
      return `how far ${store} is behind is not known: ${why ?? 'nobody has measured it'}`;
    if (lagMs > rpoMs)
      return `${store} is ${formatDuration(lagMs)} behind, more than the RPO of ${formatDuration(rpoMs)}`;
  }
  if (!known.fencePossible) return `the failed site cannot be fenced: ${known.why ?? 'not known why'}`;
  return undefined;
}

/** What would have been lost when it was measured. */
export interface MeasuredExposure {
  readonly at: string;
  readonly standings: readonly Pick<Standing, 'store' | 'exposureMs' | 'basis'>[];
}

/**
 * Without replication what would be lost is what is newer than the last backup. A dead site cannot be measured: then
 * what was measured before and all the time from there to the failure is the most that it can be.
 */
export function lagOfBackups(
  now: MeasuredExposure,
  before: MeasuredExposure | undefined,
  downSince: string,
): ReplicationStanding['stores'] {
  return now.standings.map(({ store, exposureMs, basis }) => {
    if (exposureMs !== undefined) return { store, lagMs: exposureMs };
    const last = before?.standings.find((each) => each.store === store)?.exposureMs;
    if (last === undefined) return { store, why: basis };
    return { store, lagMs: last + Math.max(0, Date.parse(downSince) - Date.parse(before!.at)) };
  });
}

/** The site to go to; undefined where there is none, or more than one to choose from. */
export function siteToGoTo(
  { sites, drillSite, to }: Pick<MonitorSettings, 'sites' | 'drillSite' | 'to'>,
  from: string,
): string | undefined {
  if (to !== undefined && to !== from) return to;
  const others = sites.map(({ site }) => site).filter((site) => site !== from && site !== drillSite);
  return others.length === 1 ? others[0] : undefined;
}
