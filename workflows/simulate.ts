import { ActivityFailure, isCancellation, proxyActivities, sleep } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { StepInput } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';
import { tableOf, type StepId } from '../runbooks/tables.ts';
import { untilApproved } from './approvals.ts';
import { bringBack } from './bring-back.ts';
import { markClock, now, openRecord, stepRecord } from './run-state.ts';
import { runStep } from './run-step.ts';
import { Abort, automaticAbort, stepInput, type StepContext } from './step-context.ts';
import { stopTarget } from './tear-down.ts';

/** A simulation: an isolated copy is built, broken as the scenario has it, and the clock runs from then. */

/** What builds the copy: a whole recovery, whatever the scenario leaves out later. */
export function openCopy(context: StepContext): StepContext {
  const { input, epoch, acceptedConfigs, set, snapshots } = context;
  const { plan } = input;
  const steps = COPY_STEPS.filter((id) => plan.steps.includes(id) || plan.leftOut[id] === 'scenario');
  const copyInput = { ...input, run: `${input.run}-copy`, plan: { ...plan, steps } };
  context.copy = {
    ...{ input: copyInput, record: openRecord(copyInput), epoch, acceptedConfigs },
    ...{ begun: [], decided: new Map(), isCopy: true as const },
    ...(set === undefined ? {} : { set }),
    ...(snapshots === undefined ? {} : { snapshots }),
  };
  return context.copy;
}

const COPY_STEPS: readonly StepId[] = [
  'check-target',
  'provision-target',
  'claim-target',
  'restore-redis-data',
  'start-redis',
  'prove-redis',
  'restore-database-data',
  'start-database',
  'prove-database',
  'restore-dashboard-config',
  'start-dashboard',
  'prove-dashboard',
  'restore-gateway-config',
  'check-upstreams',
  'start-gateways',
  'start-pump',
  'prove-gateways',
  'prove-apis',
];

/** Before anything is marked: whether the copy can be built. What it has shown is part of the drill's own record. */
export async function checkForCopy(context: StepContext, copy: StepContext): Promise<void> {
  await runStep(copy, 'check-target');
  const { record } = context;
  Object.assign(stepRecord(record, 'check-target'), stepRecord(copy.record, 'check-target'));
  record.proofs.push(...copy.record.proofs);
}

/** Until the recovery may begin: the copy is broken, that was noticed, and somebody has decided. */
export async function simulate(context: StepContext, copy: StepContext): Promise<void> {
  const { record, input } = context;
  const startedMs = Date.now();
  await bringBack(copy);
  record.drill!.copyBuiltMs = Date.now() - startedMs;
  // The clock of a simulation begins with its disaster, not with the work of building what it breaks.
  record.clock = [{ name: 'occurred', at: now(), source: `inject-disaster: ${input.plan.scenario}` }];
  await runStep(context, 'inject-disaster');
  markClock(record, 'detected', await detect(copy));
  await untilApproved(context, 'claim-target', stepRecord(record, 'claim-target'));
  markClock(record, 'declared', decidedBy(context));
  const failures = await stopTarget(copy);
  if (failures.length > 0) throw giveUp(failures.join('; '));
  markClock(record, 'started', 'the decision');
}

/** What a monitoring of the copy would ask, and how often. */
const WATCHED = ['prove-redis', 'prove-database', 'prove-dashboard', 'prove-gateways', 'prove-apis'] as const;
const LOOK_EVERY = '1 s';
const MOST_LOOKS = 60;

/** @returns what has noticed it first. @throws Abort where nothing did */
async function detect(copy: StepContext): Promise<string> {
  const { plan } = copy.input;
  const watched = tableOf(plan).filter(
    ({ id }) => (WATCHED as readonly string[]).includes(id) && plan.steps.includes(id),
  );
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    const noticed = await Promise.all(
      watched.map(async ({ id, where }) => {
        const stub = onceOn(plan.workers[where]![0]!)[id]!;
        return stub({ ...stepInput(copy, id), inUse: true }).then(
          ({ exception }) => (exception === undefined ? undefined : `${id}: ${exception}`),
          (error: unknown) => {
            if (isCancellation(error)) throw error;
            const cause = error instanceof ActivityFailure ? error.cause : error;
            return `${id}: ${cause instanceof Error ? cause.message : String(cause)}`;
          },
        );
      }),
    );
    const first = noticed.find((text) => text !== undefined);
    if (first !== undefined) return first;
    await sleep(LOOK_EVERY);
  }
  throw giveUp(`the disaster was not noticed by ${WATCHED.join(', ')} in ${MOST_LOOKS} looks`);
}

/** A look that fails is an answer: nothing is tried again. */
function onceOn(worker: string) {
  return proxyActivities<Record<string, (input: StepInput) => Promise<StepResult>>>({
    taskQueue: workerQueue(worker),
    startToCloseTimeout: '20 s',
    heartbeatTimeout: '6 s',
    retry: { maximumAttempts: 1 },
    summary: 'Does the copy still serve as it must?',
  });
}

function decidedBy({ record }: StepContext): string {
  const approval = (record.approvals ?? []).find(({ step }) => step === 'claim-target');
  return approval ? `approved by ${approval.actor}` : 'at once: nobody was asked';
}

const giveUp = (reason: string): Abort => new Abort(automaticAbort('the run', reason));
