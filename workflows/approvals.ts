import {
  condition,
  defineUpdate,
  setHandler,
  ActivityFailure,
  ApplicationFailure,
} from '@temporalio/workflow';
import {
  approvalShapeProblem,
  approvalText,
  neededText,
  samePerson,
  signatureBody,
  type Approval,
  type ApprovalArgs,
  type ApprovalPolicy,
  type SignedApproval,
} from '../domain/approvals.ts';
import { DrError } from '../domain/errors.ts';
import { workerQueue } from '../domain/messages.ts';
import type { CheckApprovalResult } from '../domain/plan.ts';
import type { RunRecord, StepRecord } from '../domain/run.ts';
import { CallFailure, callEverywhere } from './call-step.ts';
import { now, publish, showDetails } from './run-state.ts';
import { abortFor, giveUpIfAborted, stepInput, type StepContext } from './step-context.ts';
import { closeWait, escalateWait, openWait } from './waits.ts';

/**
 * Approvals: before a step that a policy names the run waits for other people than its starter. A signature is
 * verified by an activity, with the keys of the worker's own configuration; what does not count is recorded.
 */

/** Waits before a step for as many approvals as its policy asks for. @throws Abort */
export async function untilApproved(context: StepContext, step: string, row: StepRecord): Promise<void> {
  const { record } = context;
  const policy = policyOf(context, step);
  if (!policy || isApproved(record, policy)) return;
  const { count, roles, timeoutMs, onTimeout } = policy;
  row.state = 'waiting';
  row.needsApproval = { count, roles, onTimeout, dueAt: new Date(Date.now() + timeoutMs).toISOString() };
  row.waitsFor = neededText(policy);
  const wait = openWait(record, 'approval', `${step}: ${row.waitsFor}`);
  const over = (): boolean => isApproved(record, policy) || context.abort !== undefined;
  try {
    const inTime = await condition(over, timeoutMs, { summary: `patience for ${row.waitsFor} of ${step}` });
    if (!inTime && onTimeout === 'abort') {
      const reason = `${step} was not approved in time: ${givenTo(record, step).length} of ${row.waitsFor}`;
      abortFor(context, 'the approval policy', reason, step);
    } else if (!inTime) {
      escalateWait(
        record,
        wait,
        `${step} still waits for ${row.waitsFor}: ${givenTo(record, step).length} given`,
      );
      await condition(over);
    }
  } finally {
    closeWait(record, wait);
    row.state = 'pending';
    delete row.needsApproval;
    delete row.waitsFor;
  }
  giveUpIfAborted(context);
}

const DESCRIPTION =
  'Approve the step that waits for it. Argument, where no keys are configured: ' +
  '{"actor":"NAME","step":"switch-traffic","reason":"WHY"}. With keys: paste the line that tyk-dr sign RUN STEP --reason "WHY" prints.';

/** Call before the first await. */
export function listenForApprovals(context: StepContext): void {
  setHandler(
    defineUpdate<string, [ApprovalArgs]>('approve'),
    (args: ApprovalArgs) => approve(context, args),
    {
      description: DESCRIPTION,
      validator: (args: ApprovalArgs) => {
        const problem = approvalShapeProblem(args);
        const refused = problem
          ? new DrError('BAD_ARGUMENT', { ...problem })
          : // What is signed is refused by the handler, where it can be recorded.
            args.signature === undefined
            ? objection(context, args)
            : undefined;
        if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.code);
      },
    },
  );
}

async function approve(context: StepContext, args: ApprovalArgs): Promise<string> {
  const { record } = context;
  const early = objection(context, args);
  if (early) throw refuse(record, args, early);
  const policy = policyOf(context, args.step)!;
  const checked = await check(context, args, policy);
  if (checked instanceof DrError) throw refuse(record, args, checked);
  // While it was looked at, somebody else may have been first.
  const late = objection(context, args);
  if (late) throw refuse(record, args, late);
  const approval: Approval = {
    ...{ step: args.step, actor: args.actor, reason: args.reason, at: now(), identity: checked.identity },
    ...(checked.key === undefined
      ? {}
      : {
          signed: {
            text: approvalText(args as SignedApproval),
            signature: args.signature!,
            key: checked.key,
          },
        }),
  };
  (record.approvals ??= []).push(approval);
  publish(record, {});
  showDetails(record);
  const given = givenTo(record, args.step).length;
  return `approved: ${args.step}, ${given} of ${policy.count}${given < policy.count ? '; it still waits' : ''}`;
}

/** On the lead worker. @returns why it does not count, where it does not @throws ApplicationFailure where nobody could look */
async function check(
  context: StepContext,
  args: ApprovalArgs,
  { roles }: ApprovalPolicy,
): Promise<CheckApprovalResult | DrError> {
  const { lead } = context.input.plan.workers;
  const call = {
    id: 'check-approval',
    purpose: `See whether the approval of ${args.step} by ${args.actor} counts`,
    risk: 'probe',
    limitMs: CHECK_LIMIT_MS,
  } as const;
  try {
    const input = stepInput(context, call.id);
    return (await callEverywhere(call, lead, [input, args, roles])) as CheckApprovalResult;
  } catch (error) {
    const cause = error instanceof CallFailure ? error.cause : error;
    if (!(cause instanceof ActivityFailure)) throw cause;
    if (!(cause.cause instanceof ApplicationFailure)) {
      const away = new DrError('WORKER_MISSING', {
        queue: lead.map(workerQueue).join(', '),
        worker: lead[0],
      });
      throw ApplicationFailure.nonRetryable(away.message, away.code);
    }
    const { type, message } = cause.cause;
    if (type !== 'APPROVAL_REFUSED') throw ApplicationFailure.nonRetryable(message, type);
    return DrError.told(type, message);
  }
}

/** ssh-keygen answers in milliseconds. */
const CHECK_LIMIT_MS = 30_000;

/** Why an approval cannot count, as far as the run itself knows; undefined where it may. */
function objection(context: StepContext, args: ApprovalArgs): DrError | undefined {
  const { record, input } = context;
  const { step, actor, run, plan } = args;
  const refused = (reason: string): DrError =>
    new DrError('APPROVAL_REFUSED', { step, actor, run: record.run, reason });
  if (args.signature !== undefined) {
    if (run !== record.run) return refused(`it was signed for the run ${run}`);
    if (plan !== input.planDigest)
      return refused(
        `it was signed for another plan, ${plan!.slice(0, 12)}; this run's is ${input.planDigest.slice(0, 12)}`,
      );
    const before = record.approvals?.find(
      ({ signed }) => signed && sameSignature(signed.signature, args.signature!),
    );
    if (before) return refused(`the same signature was given before, at ${before.at}`);
  }
  const row = record.steps.find(({ id }) => id === step);
  if (!row || row.state === 'not-part')
    return new DrError('BAD_ARGUMENT', { argument: 'step', value: step, expected: waitingText(record) });
  // Enough of them count at once, before the story has noticed.
  const policy = policyOf(context, step);
  if (!row.needsApproval || (policy && isApproved(record, policy))) return notWaiting(context, step);
  if (samePerson(actor, record.actor))
    return refused(`${actor} has started the run: the starter does not count`);
  const own = givenTo(record, step).find((given) => samePerson(given.actor, actor));
  return own && refused(`${actor} has approved at ${own.at} already: one person counts once`);
}

function notWaiting({ record }: StepContext, step: string): DrError {
  const last = givenTo(record, step).at(-1);
  const state = `at ${step}: ${record.outcome ?? record.steps.find(({ id }) => id === step)!.state}`;
  if (!last) return new DrError('NOTHING_TO_DECIDE', { run: record.run, decision: 'approve', state });
  const { actor, at, reason } = last;
  return new DrError('ALREADY_DECIDED', {
    ...{ run: record.run, decision: 'approve', actor, kind: 'approve', step, at, reason, state },
  });
}

function waitingText(record: RunRecord): string {
  const asked = record.steps.filter(({ needsApproval }) => needsApproval).map(({ id }) => id);
  return asked.length > 0
    ? `a step that waits for approval: ${asked.join(', ')}`
    : 'the id of a step of this run';
}

/** In the record and in the alarms: somebody has tried. */
function refuse(
  record: RunRecord,
  { step, actor, reason }: ApprovalArgs,
  error: DrError,
): ApplicationFailure {
  (record.refusedApprovals ??= []).push({ step, actor, reason, at: now(), why: error.message });
  publish(record, {});
  showDetails(record);
  return ApplicationFailure.nonRetryable(error.message, error.code);
}

function sameSignature(a: string, b: string): boolean {
  return signatureBody(a) === signatureBody(b);
}

function policyOf({ input }: StepContext, step: string): ApprovalPolicy | undefined {
  return input.plan.approvals?.find((policy) => policy.step === step);
}

function givenTo(record: RunRecord, step: string): Approval[] {
  return (record.approvals ?? []).filter((approval) => approval.step === step);
}

function isApproved(record: RunRecord, { step, count }: ApprovalPolicy): boolean {
  return givenTo(record, step).length >= count;
}
