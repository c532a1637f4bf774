import { ActivityFailure, ApplicationFailure, startChild, uuid4 } from '@temporalio/workflow';
import { TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import { lockId } from '../domain/messages.ts';
import { MONITOR_ACTOR, type Acted, type ReplicationStanding } from '../domain/monitor.ts';
import {
  lagOfBackups,
  siteToGoTo,
  startObjection,
  type MeasuredExposure,
} from '../domain/monitor-decision.ts';
import type { DeadPart } from '../domain/monitor-glance.ts';
import type { RecoverInput, RecoverPlan } from '../domain/plan.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import { runIdOf } from '../domain/run-id.ts';
import { standings, storesOf } from '../domain/standing.ts';
import { healPlan, proposed, replicates, takeover, type Takeover } from '../runbooks/monitor-plan.ts';
import { askAny } from './ask-any.ts';
import { measure } from './doctor.ts';
import { reasonOf } from './launch.ts';
import type { Watch } from './monitor-state.ts';
import { askWorker } from './ping.ts';
import { now } from './run-state.ts';
import { attributePairs } from './search-attributes.ts';

/** What the monitor does about what it has seen: always a run of its own, under the one lock of the deployment. */

interface Asked {
  'answer-ping': (deployment: string) => Promise<{ readonly digest: string }>;
  'digest-plan': (plan: RecoverPlan) => Promise<string>;
  'replication-standing': (input: {
    readonly deployment: string;
    readonly from: string;
    readonly to: string;
  }) => Promise<ReplicationStanding>;
}

/** Starts one dead component again. What cannot be started is noted as a try that did not help. */
export async function heal(watch: Watch, site: string, part: DeadPart): Promise<void> {
  const { component, names, why } = part;
  const at = watch.standing.deadSince[component] ?? now();
  const said = { reason: `${names.join(', ')} of ${site} was found dead: ${why}`, occurredAt: at };
  const run = await tryTo(async () => {
    const plan = healPlan(watch.input.shape, site, part);
    const silent = await silentOf(watch, [...plan.workers.lead, ...plan.workers.target]);
    if (silent.length > 0) return { why: `no run: ${silent.join(', ')} does not answer` };
    return startRun(watch, { workflow: 'recover', plan }, said);
  });
  if (run.held) return yieldLock(watch);
  watch.heals = [...watch.heals, { component, names, run: run.run ?? run.why ?? 'no run', at: now() }];
}

/** A site has failed: does what the deployment wants done, or the most of it that is safe. */
export async function giveUpSite(watch: Watch, from: string): Promise<Acted | undefined> {
  const { settings, shape } = watch.input;
  const told = (why?: string): Acted => ({
    what: 'notify',
    at: now(),
    ...(why === undefined ? {} : { why }),
  });
  if (settings.onFailure === 'notify') return told();
  const to = siteToGoTo(settings, from);
  if (to === undefined) return told('no other site to go to');
  const objection = settings.onFailure === 'start' ? await whyNotStart(watch, from, to) : undefined;
  const starts = settings.onFailure === 'start' && objection === undefined;
  const { downSince, since, reasons } = watch.standing;
  const said = {
    reason: `${from} has failed: ${reasons.join('; ')}`.slice(0, 900),
    occurredAt: downSince ?? since,
    detectedAt: since,
  };
  const run = await tryTo(async () => {
    const whole = takeover(shape, from, to);
    return startRun(watch, starts ? whole : { ...whole, plan: proposed(whole.plan) }, said);
  });
  if (run.held) {
    yieldLock(watch);
    return undefined;
  }
  if (run.run === undefined) return told(run.why);
  if (starts) watch.starts = [...watch.starts, now()];
  return {
    ...{ what: starts ? 'start' : 'propose', at: now(), run: run.run },
    ...(objection === undefined ? {} : { why: `not started by itself: ${objection}` }),
  };
}

async function whyNotStart(watch: Watch, from: string, to: string): Promise<string | undefined> {
  const { settings, shape } = watch.input;
  const known = replicates(shape)
    ? await replicationStanding(watch, from, to)
    : await backupStanding(watch, from);
  return startObjection(known, watch.starts, settings, Date.now());
}

async function replicationStanding(watch: Watch, from: string, to: string): Promise<ReplicationStanding> {
  const { deployment } = watch.input.settings;
  try {
    const silent = await silentOf(watch, workersOf(watch, from));
    const known = await askAny<Asked, ReplicationStanding>(
      workersOf(watch, to),
      `How far is ${to} behind?`,
      (call) => call['replication-standing']({ deployment, from, to }),
    );
    if (silent.length === 0) return known;
    return { ...known, fencePossible: false, why: `${silent.join(', ')} does not answer` };
  } catch (error) {
    return { stores: [], fencePossible: false, why: `no worker of ${to} tells: ${briefly(error)}` };
  }
}

/** A worker of before lists all that it can instead. */
const briefly = (error: unknown): string => reasonOf(error).split(', available')[0]!.slice(0, 200);

async function backupStanding(watch: Watch, from: string): Promise<ReplicationStanding> {
  const nowMeasured = await measureExposure(watch);
  const downSince = watch.standing.downSince ?? now();
  const silent = await silentOf(watch, workersOf(watch, from));
  return {
    stores: lagOfBackups(nowMeasured, watch.exposure, downSince),
    fencePossible: silent.length === 0,
    ...(silent.length === 0 ? {} : { why: `${silent.join(', ')} does not answer` }),
  };
}

/** What would be lost now, of each store. */
export async function measureExposure({ input }: Watch): Promise<MeasuredExposure> {
  const { deployment, rpoMs, sites } = input.settings;
  const hosts = sites.flatMap(({ site, workers }) => workers.map((worker) => ({ site, worker })));
  const figures = await measure({ deployment, rpoMs, hosts });
  const measured = standings(figures, storesOf(figures), rpoMs);
  return {
    at: now(),
    standings: measured.map(({ store, exposureMs, basis }) => ({
      ...{ store, basis },
      ...(exposureMs === undefined ? {} : { exposureMs }),
    })),
  };
}

async function silentOf(watch: Watch, workers: readonly string[]): Promise<string[]> {
  const { deployment } = watch.input.settings;
  const asked = [...new Set(workers)];
  const answers = await Promise.allSettled(asked.map((worker) => askWorker(worker, deployment)));
  return asked.filter((_, index) => answers[index]!.status === 'rejected');
}

/** Somebody was quicker; the observers will say so at their next look. */
function yieldLock(watch: Watch): void {
  watch.yieldsUntilMs = Date.now() + 3 * watch.input.settings.intervalMs;
}

/** `held`: something else has the lock; it is tried again when that has ended. */
interface Tried {
  readonly run?: string;
  readonly held?: true;
  readonly why?: string;
}

interface Said {
  readonly reason: string;
  readonly occurredAt: string;
  readonly detectedAt?: string;
}

/** A plan that cannot be made, and a worker that does not answer, are no reason for the monitor to end. */
async function tryTo(start: () => Promise<Tried>): Promise<Tried> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { held: true };
    if (error instanceof DrError || error instanceof ActivityFailure || error instanceof ApplicationFailure)
      return { why: `no run: ${reasonOf(error)}` };
    throw error;
  }
}

async function startRun(watch: Watch, takeover: Takeover, said: Said): Promise<Tried> {
  const { deployment, priority } = watch.input.settings;
  const { workflow, plan: bare, otherWays = [] } = takeover;
  const workers = [...bare.workers.lead, ...bare.workers.target, ...allWorkers(watch)];
  const ask = <Answer>(summary: string, call: (asked: Asked) => Promise<Answer>) =>
    askAny<Asked, Answer>(workers, summary, call);
  const { digest } = await ask('Digest of the configuration', (call) => call['answer-ping'](deployment));
  const digestOf = (planned: RecoverPlan) =>
    ask('Digest of the plan', (call) => call['digest-plan'](planned));
  const plan = await withOtherWays(bare, otherWays, digestOf);
  const planDigest = await digestOf(plan);
  const run = newRunOf(plan);
  const input: RecoverInput = {
    ...{ run, plan, planDigest, configDigest: digest, actor: MONITOR_ACTOR, declaredAt: now() },
    ...{ detectedAt: now(), ...said },
  };
  const child = await startChild(workflow, {
    workflowId: lockId(deployment),
    args: [input],
    priority: { priorityKey: priority },
    staticSummary: `${plan.component ?? deployment} on ${plan.to}, by the monitor`.slice(0, 200),
    memo: { run },
    typedSearchAttributes: new TypedSearchAttributes(attributePairs(runAttributes(run, plan))),
    // Whoever ends the monitor does not mean to leave a recovery half done.
    parentClosePolicy: 'ABANDON',
    cancellationType: 'ABANDON',
  });
  watch.running = run;
  const ended = (): void => {
    watch.running = undefined;
    watch.news += 1;
  };
  child.result().then(ended, ended);
  return { run };
}

const newRunOf = ({ failover }: RecoverPlan): string =>
  runIdOf(failover ? 'fo' : 'rec', now(), uuid4().slice(0, 4));

/** People who come to a failover that cannot go on find the next way ready. */
async function withOtherWays(
  plan: RecoverPlan,
  [way, ...further]: readonly RecoverPlan[],
  digestOf: (plan: RecoverPlan) => Promise<string>,
): Promise<RecoverPlan> {
  if (way === undefined) return plan;
  const next = await withOtherWays(way, further, digestOf);
  return { ...plan, otherwise: { run: newRunOf(next), plan: next, planDigest: await digestOf(next) } };
}

const workersOf = (watch: Watch, site: string): readonly string[] =>
  watch.input.settings.sites.find((each) => each.site === site)?.workers ?? [];

export const allWorkers = ({ input }: Watch): string[] => [
  ...new Set([...input.settings.sites.flatMap(({ workers }) => workers), ...input.settings.observers]),
];
