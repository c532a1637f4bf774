import { Context } from '@temporalio/activity';
import type { Build } from '../domain/build.ts';
import type { Deployment, Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { BackupStepInput } from '../domain/backup.ts';
import type { StepInput } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';
import { takeCommand } from '../adapters/host/epoch.ts';
import { isolated } from '../adapters/host/isolation.ts';
import { drillBounds } from './drill-bounds.ts';
import { hideByForm, hideSecretsOf } from './hide-secrets.ts';
import { requireServed } from './served.ts';
import { toFailure } from './to-failure.ts';

/**
 * What every activity does before its own work: heartbeat from entry, prove that plan and worker have the same
 * configuration, refuse what comes too late or from a superseded run, and turn errors into Temporal's.
 */

export interface Deps {
  readonly worker: string;
  /** What this process runs. */
  readonly build?: Build;
  deployment(name: string): Deployment;
  /** Digest of the deployment's shared section, as this worker's configuration has it. */
  digest(deployment: string): string;
  secret(reference: SecretRef): Promise<Secret>;
  /** Aborted when this worker must go at once. */
  readonly leaving?: AbortSignal;
  /** Every secret that was read so far, also those that have been replaced since. */
  usedSecrets(): readonly Secret[];
}

interface BaseCall {
  /** The worker that runs this: a step of a site is called on each of the site's workers. */
  readonly worker: string;
  readonly deployment: Deployment;
  readonly signal: AbortSignal;
  secret(reference: SecretRef): Promise<Secret>;
  /** Shows what a long step is doing, with its next heartbeat. */
  progress(text: string): void;
}

/** One call of one step of a recovery. */
export interface Call extends BaseCall {
  readonly input: StepInput;
  readonly target: Site;
  readonly source: Site;
}

/** One look at the live site of a drill. */
export interface LiveCall extends BaseCall {
  readonly input: StepInput;
  readonly live: Site;
}

/** One call of one step of a backup. */
export interface BackupCall extends BaseCall {
  readonly input: BackupStepInput;
  readonly site: Site;
}

const HEARTBEAT_EVERY_MS = 1_000;

type Risk = 'probe' | 'mutate' | 'release';

/** `release` is a mutation that gives things up (stop, undo): it needs no command over the target any more. */
export function guarded<Result extends StepResult, More extends unknown[] = []>(
  deps: Deps,
  risk: Risk,
  work: (call: Call, ...more: More) => Promise<Result>,
): (input: StepInput, ...more: More) => Promise<Result> {
  return (input, ...more) =>
    enter(deps, { ...input, deployment: input.plan.deployment }, async (base) => {
      const target = siteOf(base.deployment, input.plan.to);
      requireServed(deps.worker, Context.current().info.activityType, base.deployment, target);
      const source = siteOf(base.deployment, input.plan.from);
      const begin = async (): Promise<Result> => {
        if (risk === 'mutate') await takeCommand(siteOfStep(input, target, source), input, input.plan.to);
        return { ...(await work({ ...base, input, target, source }, ...more)), ...servedBy(deps) };
      };
      if (input.plan.drill === undefined) return begin();
      return isolated(drillBounds(base.deployment, input, Context.current().info.activityType), begin);
    });
}

/** A look at the site that serves while a drill runs: the one call of a drill that may reach it, and it only reads. */
export function guardedLook<Result extends StepResult, More extends unknown[] = []>(
  deps: Deps,
  look: (call: LiveCall, ...more: More) => Promise<Result>,
): (input: StepInput, ...more: More) => Promise<Result> {
  return (input, ...more) =>
    enter(deps, { ...input, deployment: input.plan.deployment }, async (base) => {
      requireServed(deps.worker, Context.current().info.activityType, base.deployment);
      const live = siteOf(base.deployment, input.plan.from);
      return { ...(await look({ ...base, input, live }, ...more)), ...servedBy(deps) };
    });
}

/** A run tells which builds have served it. */
function servedBy({ worker, build }: Deps): Pick<StepResult, 'servedBy'> {
  return build ? { servedBy: [{ worker, build }] } : {};
}

/** The same for the steps of a backup, which look at one site and change nothing of it. */
export function guardedBackup<Result, More extends unknown[] = []>(
  deps: Deps,
  work: (call: BackupCall, ...more: More) => Promise<Result>,
): (input: BackupStepInput, ...more: More) => Promise<Result> {
  return (input, ...more) =>
    enter(deps, input, (base) => {
      requireServed(deps.worker, input.step, base.deployment);
      return work({ ...base, input, site: siteOf(base.deployment, input.site) }, ...more);
    });
}

interface Entry {
  readonly step: string;
  readonly deployment: string;
  readonly configDigest: string;
  readonly acceptedConfigs?: readonly string[];
  readonly notAfter: string;
}

async function enter<Result>(
  deps: Deps,
  entry: Entry,
  work: (base: BaseCall) => Promise<Result>,
): Promise<Result> {
  const context = Context.current();
  let doing = 'begins';
  const beat = setInterval(() => context.heartbeat(doing), HEARTBEAT_EVERY_MS);
  const { leaving } = deps;
  const signal = leaving
    ? AbortSignal.any([context.cancellationSignal, leaving])
    : context.cancellationSignal;
  try {
    requireInTime(entry);
    requireKnown(deps, entry);
    requireSameConfig(deps, entry);
    return await work({
      worker: deps.worker,
      deployment: deps.deployment(entry.deployment),
      signal,
      secret: (reference) => deps.secret(reference),
      progress: (text) => (doing = text),
    });
  } catch (error) {
    // Broken off because this worker goes, whatever that looked like to the step: not how the step went.
    if (leaving?.aborted || context.cancellationDetails?.workerShutdown)
      throw toFailure(
        new DrError('WORKER_STOPPED', { worker: deps.worker, step: entry.step }, { cause: error }),
        hideByForm,
        servedBy(deps),
      );
    throw toFailure(
      error,
      await hideSecretsOf(deps, entry.deployment).catch(() => hideByForm),
      servedBy(deps),
    );
  } finally {
    clearInterval(beat);
  }
}

function requireKnown({ worker, deployment }: Deps, { step, deployment: name }: Entry): void {
  try {
    deployment(name);
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    const { known } = error.details;
    throw new DrError('WORKER_NOT_CONFIGURED', {
      worker,
      step,
      what: `the deployment ${name}`,
      serves: known,
    });
  }
}

/** Where the lease lies: on the site that the step changes. */
function siteOfStep(input: StepInput, target: Site, source: Site): string {
  return input.step === 'fence-source' ? source.stateDir : target.stateDir;
}

function requireInTime(input: Entry): void {
  const now = new Date().toISOString();
  // A retry by Temporal itself carries the time of the first attempt: only that one can come too late.
  if (Context.current().info.attempt === 1 && now > input.notAfter) {
    throw new DrError('EXPIRED', { step: input.step, notAfter: input.notAfter, now });
  }
}

function requireSameConfig(deps: Deps, input: Entry): void {
  const actual = deps.digest(input.deployment);
  const accepted = input.acceptedConfigs?.some((digits) => actual.startsWith(digits)) ?? false;
  if (actual !== input.configDigest && !accepted) {
    throw new DrError('CONFIG_DRIFT', {
      worker: deps.worker,
      actual: actual.slice(0, 12),
      expected: input.configDigest.slice(0, 12),
    });
  }
}

function siteOf(deployment: Deployment, name: string): Site {
  const site = deployment.sites[name];
  if (!site) {
    throw new DrError('UNKNOWN_SITE', {
      deployment: 'this one',
      site: name,
      known: Object.keys(deployment.sites).join(', '),
    });
  }
  return site;
}
