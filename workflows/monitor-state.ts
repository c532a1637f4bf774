import { setCurrentDetails, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { MeasuredExposure } from '../domain/monitor-decision.ts';
import { glance, type Glance } from '../domain/monitor-glance.ts';
import { advance, newStanding, type SiteStanding } from '../domain/monitor-standing.ts';
import type { Acted, Heal, MonitorPause, MonitorState, MonitorSummary, View } from '../domain/monitor.ts';
import { monitorLines } from '../domain/monitor-text.ts';
import type { MonitorInput } from '../runbooks/monitor-input.ts';
import { now } from './run-state.ts';
import { attributePairs } from './search-attributes.ts';

/** What the workflow `monitor` knows, and the surfaces on which it shows. */

/** What is handed on when the history begins anew. */
export interface Carried {
  readonly serving?: string;
  readonly standing: SiteStanding;
  readonly heals: readonly Heal[];
  readonly starts: readonly string[];
  readonly acted?: Acted;
  readonly paused?: MonitorPause;
  readonly told: MonitorState;
  readonly toldAt?: string;
  readonly exposure?: MeasuredExposure;
}

export interface Watch {
  readonly input: MonitorInput;
  /** The site that serves; undefined while nobody knows. */
  serving: string | undefined;
  /** Why it is not known. */
  unknown: string;
  /** By observer; undefined while it is silent. Those that have not been heard of yet are missing. */
  readonly views: Map<string, View | undefined>;
  standing: SiteStanding;
  seen: Glance;
  heals: readonly Heal[];
  starts: readonly string[];
  acted: Acted | undefined;
  paused: MonitorPause | undefined;
  told: MonitorState;
  toldAt: string | undefined;
  exposure: MeasuredExposure | undefined;
  /** A run that this monitor has started, until it ends. */
  running: string | undefined;
  /** Until then somebody else had the lock when it was wanted. Unix milliseconds. */
  yieldsUntilMs: number;
  /** Notices that are being sent: nothing waits for them but the end. */
  telling: Promise<unknown>;
  stopped: { readonly actor: string; readonly reason: string } | undefined;
  /** Counts what the loop has to look at. */
  news: number;
}

export function openWatch(input: MonitorInput, carried: Carried | undefined): Watch {
  const { memory } = input;
  return {
    input,
    serving: carried?.serving ?? memory.serving,
    unknown: 'nobody has looked yet',
    views: new Map(),
    standing: carried?.standing ?? newStanding(Date.now(), 'nobody has looked yet'),
    seen: { level: 'healthy', reasons: [], dead: [] },
    heals: carried?.heals ?? memory.heals,
    starts: carried?.starts ?? memory.starts,
    acted: carried?.acted,
    paused: carried?.paused,
    told: carried?.told ?? 'healthy',
    toldAt: carried?.toldAt,
    exposure: carried?.exposure,
    running: undefined,
    yieldsUntilMs: 0,
    telling: Promise.resolve(),
    stopped: undefined,
    news: 0,
  };
}

export function carriedOn(watch: Watch): Carried {
  const { serving, acted, paused, toldAt, exposure, standing, heals, starts, told } = watch;
  return {
    ...{ standing, heals, starts, told },
    ...(serving === undefined ? {} : { serving }),
    ...(acted && { acted }),
    ...(paused && { paused }),
    ...(toldAt === undefined ? {} : { toldAt }),
    ...(exposure && { exposure }),
  };
}

/** Whether every observer has been heard, or found silent, since it was asked. */
export const isHeard = ({ views, input }: Watch): boolean =>
  input.settings.observers.every((observer) => views.has(observer));

/** Judges what is seen now. @param confirmed see `advance` */
export function judgeNow(watch: Watch, confirmed = false): void {
  const { rules, observers } = watch.input.settings;
  const voices = observers.map((observer) => {
    const view = watch.views.get(observer);
    return { observer, ...(view && { view }) };
  });
  watch.seen = glance(voices, rules);
  watch.standing = advance(watch.standing, watch.seen, Date.now(), rules, confirmed);
  if (watch.standing.state !== 'failed') watch.acted = undefined;
}

/** What holds the deployment's lock, as far as anybody has seen. */
export function heldBy({ running, views, yieldsUntilMs }: Watch): string | undefined {
  const seen = running ?? [...views.values()].find((view) => view?.lock !== undefined)?.lock;
  return seen ?? (Date.now() < yieldsUntilMs ? 'another run' : undefined);
}

/** Why no decision is taken; undefined where they are. */
export function suspendedBy(watch: Watch): string | undefined {
  const { paused } = watch;
  if (paused) return `paused by ${paused.actor} until ${paused.until}: ${paused.reason}`;
  const holder = heldBy(watch);
  return holder === undefined ? undefined : `${holder} is under way`;
}

export function summaryOfWatch(watch: Watch): MonitorSummary {
  const { standing, serving, input, acted, paused, heals, starts, views } = watch;
  const { state, since, reasons, flapping } = standing;
  const { deployment, observers, rules, onFailure } = input.settings;
  const held = heldBy(watch);
  const known = serving !== undefined;
  return {
    ...{ deployment, state: known ? state : 'suspect', since, quorum: rules.quorum, onFailure },
    reasons: known ? reasons : [`which site serves is not known: ${watch.unknown}`],
    ...(known ? { serving } : {}),
    ...(flapping && { flapping }),
    observers: observers.map((observer) => {
      const view = views.get(observer);
      const sees = !views.has(observer)
        ? 'not asked yet'
        : !view
          ? 'silent'
          : view.sighted
            ? view.outside.seen
            : 'blind';
      return { observer, sees };
    }),
    ...(held === undefined ? {} : { held }),
    ...(paused && { paused }),
    ...(acted && { acted }),
    ...{ heals, starts },
  };
}

/** Only where it has changed: each time is an event of the history. */
export function publishWatch(watch: Watch, last: string): string {
  const summary = summaryOfWatch(watch);
  const text = JSON.stringify(summary);
  if (text === last) return last;
  upsertMemo({ monitor: summary });
  upsertSearchAttributes(attributePairs({ phase: summary.state }));
  setCurrentDetails(monitorLines(summary, now()).join('\n\n'));
  return text;
}
