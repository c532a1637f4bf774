import type { Glance } from './monitor-glance.ts';
import { MONITOR_STATES, type MonitorRules, type MonitorState, type Watched } from './monitor.ts';

/**
 * The state of a site over time: how long it must be down to have failed, how long better to be better, and what
 * flaps. Pure; times are UTC ISO strings, and those of the monitor alone.
 */

export interface SiteStanding {
  readonly state: MonitorState;
  readonly since: string;
  readonly reasons: readonly string[];
  /** Since when a quorum has seen it down without a break. */
  readonly downSince?: string;
  /** Since when it has looked better than its state. */
  readonly betterSince?: string;
  /** When it turned worse, of the last while. */
  readonly worsened: readonly string[];
  readonly flapping?: true;
  /** By component, since when it is dead without a break. */
  readonly deadSince: Readonly<Partial<Record<Watched, string>>>;
}

export function newStanding(nowMs: number, reason: string): SiteStanding {
  return { state: 'healthy', since: iso(nowMs), reasons: [reason], worsened: [], deadSince: {} };
}

/**
 * @param confirmed a quorum has been asked anew after the whole duration, and still sees it down: without it nothing
 * becomes `failed`
 */
export function advance(
  before: SiteStanding,
  seen: Glance,
  nowMs: number,
  rules: MonitorRules,
  confirmed = false,
): SiteStanding {
  const downSince = seen.level === 'down' ? (before.downSince ?? iso(nowMs)) : undefined;
  const deadSince = Object.fromEntries(
    seen.dead.map(({ component }) => [component, before.deadSince[component] ?? iso(nowMs)]),
  );
  const lasted = downSince !== undefined && nowMs - Date.parse(downSince) >= rules.failAfterMs;
  const stays = before.state === 'failed' && seen.level === 'down';
  const wanted: MonitorState =
    seen.level === 'down' ? (stays || (lasted && confirmed) ? 'failed' : 'suspect') : seen.level;
  const { withinMs, changes } = rules.flapping;
  const recent = before.worsened.filter((at) => nowMs - Date.parse(at) < withinMs);
  const base = { ...(downSince === undefined ? {} : { downSince }), deadSince };
  const turn = rank(wanted) - rank(before.state);
  const worsened = turn > 0 ? [...recent, iso(nowMs)] : recent;
  const flaps = worsened.length >= changes;
  const damped = { worsened, ...(flaps ? { flapping: true as const } : {}) };
  const reasons = [
    ...(flaps ? [`it flaps: ${worsened.length} turns for the worse of late`] : []),
    ...seen.reasons,
  ];
  if (turn > 0) return { state: wanted, since: iso(nowMs), reasons, ...base, ...damped };
  if (turn === 0) return { state: before.state, since: before.since, reasons, ...base, ...damped };
  const betterSince = before.betterSince ?? iso(nowMs);
  if (nowMs - Date.parse(betterSince) >= calmMs(damped, rules))
    return { state: wanted, since: iso(nowMs), reasons, ...base, ...damped };
  const held = reasons.length > 0 ? reasons : before.reasons;
  return { state: before.state, since: before.since, reasons: held, betterSince, ...base, ...damped };
}

/** Whether only a fresh look at all observers stands between this and `failed`. */
export function isToConfirm(
  { state, downSince }: SiteStanding,
  nowMs: number,
  { failAfterMs }: MonitorRules,
): boolean {
  return state !== 'failed' && downSince !== undefined && nowMs - Date.parse(downSince) >= failAfterMs;
}

/**
 * When time alone will change something, Unix milliseconds; undefined where only a view can.
 *
 * @param decides whether a site may be found failed now
 */
export function nextChangeMs(
  standing: SiteStanding,
  rules: MonitorRules,
  decides: boolean,
): number | undefined {
  const { state, downSince, betterSince } = standing;
  const due = [
    ...(decides && downSince !== undefined && state !== 'failed'
      ? [Date.parse(downSince) + rules.failAfterMs]
      : []),
    ...(betterSince === undefined ? [] : [Date.parse(betterSince) + calmMs(standing, rules)]),
  ];
  return due.length === 0 ? undefined : Math.min(...due);
}

function calmMs({ flapping }: { readonly flapping?: true }, rules: MonitorRules): number {
  return flapping ? Math.max(rules.flapping.withinMs, rules.recoverAfterMs) : rules.recoverAfterMs;
}

const rank = (state: MonitorState): number => MONITOR_STATES.indexOf(state);
const iso = (ms: number): string => new Date(ms).toISOString();
