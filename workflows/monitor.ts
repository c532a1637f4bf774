import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  setHandler,
  workflowInfo,
  type CancellationScope,
} from '@temporalio/workflow';
import { DrError } from '../domain/errors.ts';
import {
  MONITOR_PAUSE,
  MONITOR_QUERY,
  MONITOR_RESUME,
  MONITOR_STOP,
  type MonitorArgs,
  type MonitorMemory,
  type MonitorSummary,
} from '../domain/monitor.ts';
import { decide, healDueMs, withCures, type Situation } from '../domain/monitor-decision.ts';
import { monitorArgsProblem } from '../domain/monitor-args.ts';
import { isToConfirm, newStanding, nextChangeMs } from '../domain/monitor-standing.ts';
import type { MonitorInput } from '../runbooks/monitor-input.ts';
import { replicates } from '../runbooks/monitor-plan.ts';
import { giveUpSite, heal, measureExposure } from './monitor-act.ts';
import { askAll, findServing, observe } from './monitor-observe.ts';
import {
  carriedOn,
  heldBy,
  isHeard,
  judgeNow,
  openWatch,
  publishWatch,
  summaryOfWatch,
  suspendedBy,
  type Carried,
  type Watch,
} from './monitor-state.ts';
import { dueMs, tellChange } from './monitor-tell.ts';
import { now } from './run-state.ts';

/**
 * Watches a deployment for as long as it lives: its observers say what they see, a quorum and a duration decide, and
 * what is done about it is a run of its own. It only looks and decides: everything that it knows is in its history,
 * so that a killed worker, or a killed Temporal, changes nothing but the time that it takes.
 *
 * @returns what a next one is to know, when somebody stops it
 */
export async function monitor(input: MonitorInput, carried?: Carried): Promise<MonitorMemory> {
  const watch = openWatch(input, carried);
  listen(watch);
  const eyes = new Eyes(watch);
  let shown = '';
  let held: string | undefined;
  let lookedMs = 0;
  while (!watch.stopped) {
    const seenNews = watch.news;
    expirePause(watch);
    // After a run another site may serve, and nothing that was seen before it counts.
    const released = held !== undefined && heldBy(watch) === undefined;
    held = heldBy(watch);
    if (released || Date.now() - lookedMs >= servingEveryMs(watch)) {
      await lookAnew(watch, eyes, released);
      lookedMs = Date.now();
    }
    if (watch.serving !== undefined) await watchSite(watch, watch.serving, eyes);
    shown = publishWatch(watch, shown);
    tellChange(watch);
    // A run that it has started goes on; that it holds the lock is what the observers see.
    if (workflowInfo().continueAsNewSuggested) {
      await leave(watch, eyes);
      await continueAsNew<typeof monitor>(input, carriedOn(watch));
    }
    const dueAt = Math.min(lookedMs + servingEveryMs(watch), nextDueMs(watch));
    await condition(() => watch.news !== seenNews, Math.max(LEAST_WAIT_MS, dueAt - Date.now()));
  }
  publishWatch(watch, shown);
  await leave(watch, eyes);
  const { serving, heals, starts } = watch;
  return { ...(serving === undefined ? {} : { serving }), heals, starts };
}

/** Each timer is two events of the history. */
const LEAST_WAIT_MS = 100;

async function leave({ telling }: Watch, eyes: Eyes): Promise<void> {
  eyes.close();
  await telling;
  await condition(allHandlersFinished);
}

/** Nothing of it changes by itself; a site that somebody has moved is noticed after this long. */
const SERVING_EVERY_MS = 5 * 60_000;
const UNKNOWN_EVERY_MS = 15_000;
const servingEveryMs = ({ serving }: Watch): number =>
  serving === undefined ? UNKNOWN_EVERY_MS : SERVING_EVERY_MS;

/** The observers at work. */
class Eyes {
  readonly #watch: Watch;
  #on: { readonly site: string; readonly scope: CancellationScope } | undefined;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  /** Looks at this site from now on. */
  turnTo(site: string): void {
    if (this.#on?.site === site) return;
    this.close();
    this.#on = { site, scope: observe(this.#watch, site) };
  }

  close(): void {
    this.#on?.scope.cancel();
    this.#on = undefined;
  }
}

async function lookAnew(watch: Watch, eyes: Eyes, released: boolean): Promise<void> {
  const moved = await findServing(watch);
  if (moved) {
    eyes.close();
    watch.views.clear();
    watch.acted = undefined;
    watch.standing = newStanding(Date.now(), `${watch.serving} was found to serve`);
  } else if (released && watch.serving !== undefined) {
    await askAnew(watch, watch.serving, eyes);
    // What is dead has a whole time to come up.
    watch.standing = { ...watch.standing, deadSince: {} };
  }
  const { settings, shape } = watch.input;
  if (settings.onFailure === 'start' && !replicates(shape)) await keepExposure(watch);
}

/** Of a site that serves: of a dead one nothing can be measured, and the last figures stay. */
async function keepExposure(watch: Watch): Promise<void> {
  const measured = await measureExposure(watch);
  if (measured.standings.some(({ exposureMs }) => exposureMs !== undefined)) watch.exposure = measured;
}

async function askAnew(watch: Watch, site: string, eyes: Eyes): Promise<void> {
  await askAll(watch, site);
  // They would wait for a change from what they were told to be known.
  eyes.close();
  eyes.turnTo(site);
}

async function watchSite(watch: Watch, site: string, eyes: Eyes): Promise<void> {
  eyes.turnTo(site);
  if (!isHeard(watch)) return;
  const { settings } = watch.input;
  judgeNow(watch);
  // A component that may be started again comes first, and what is decided is decided by a look of this moment.
  const canHeal = healDueMs(situationOf(watch), settings, Date.now()) !== undefined;
  if (
    !canHeal &&
    suspendedBy(watch) === undefined &&
    isToConfirm(watch.standing, Date.now(), settings.rules)
  ) {
    await askAnew(watch, site, eyes);
    if (suspendedBy(watch) === undefined) judgeNow(watch, true);
  }
  watch.heals = withCures(watch.heals, watch.seen, Date.now());
  const decision = decide(situationOf(watch), settings, Date.now());
  if (decision.do === 'heal') await heal(watch, site, decision.part);
  if (decision.do === 'give-up') watch.acted = await giveUpSite(watch, site);
}

function situationOf(watch: Watch): Situation {
  const { standing, seen, heals, acted } = watch;
  const suspended = suspendedBy(watch);
  return {
    standing,
    seen,
    heals,
    ...(acted && { acted }),
    ...(suspended === undefined ? {} : { suspended }),
  };
}

function nextDueMs(watch: Watch): number {
  const { settings } = watch.input;
  const healMs = healDueMs(situationOf(watch), settings, Date.now());
  // While nothing may be decided, or a component is to be started again first, time does not fail a site.
  const decides = healMs === undefined && suspendedBy(watch) === undefined;
  const due = [
    isHeard(watch) ? nextChangeMs(watch.standing, settings.rules, decides) : undefined,
    healMs,
    dueMs(watch),
    watch.paused && Date.parse(watch.paused.until),
    Date.now() < watch.yieldsUntilMs ? watch.yieldsUntilMs : undefined,
  ];
  return Math.min(...due.filter((ms) => ms !== undefined));
}

function expirePause(watch: Watch): void {
  if (watch.paused && Date.parse(watch.paused.until) <= Date.now()) watch.paused = undefined;
}

/** Call before the first await. */
function listen(watch: Watch): void {
  setHandler(defineQuery<MonitorSummary>(MONITOR_QUERY), () => summaryOfWatch(watch), {
    description: 'The state of the site that serves, its reasons, and who sees what.',
  });
  const update = (name: string, take: (args: MonitorArgs) => string, description: string): void =>
    setHandler(
      defineUpdate<string, [MonitorArgs]>(name),
      (args: MonitorArgs) => {
        watch.news += 1;
        return take(args);
      },
      {
        description,
        validator: (args: MonitorArgs) => {
          const problem = monitorArgsProblem(name, args);
          if (!problem) return;
          const { message, code } = new DrError('BAD_ARGUMENT', { ...problem });
          throw ApplicationFailure.nonRetryable(message, code);
        },
      },
    );
  const who = 'Argument: {"actor":"NAME","reason":"WHY"';
  update(
    MONITOR_PAUSE,
    ({ actor, reason, forMs = 0 }) => {
      const until = new Date(Date.now() + forMs).toISOString();
      watch.paused = { actor, reason, at: now(), until };
      return `paused until ${until}: it looks, and decides nothing`;
    },
    `Decide nothing for a while. ${who},"forMs":600000}`,
  );
  update(
    MONITOR_RESUME,
    () => {
      watch.paused = undefined;
      return 'it decides again';
    },
    `Decide again. ${who}}`,
  );
  update(
    MONITOR_STOP,
    ({ actor, reason }) => {
      watch.stopped = { actor, reason };
      return 'stopped: nobody watches any more';
    },
    `End the monitor. ${who}}`,
  );
}
