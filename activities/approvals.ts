import { fingerprint, signatureProblem } from '../adapters/ssh/signature.ts';
import {
  approvalText,
  mayApprove,
  samePerson,
  type ApprovalArgs,
  type SignedApproval,
} from '../domain/approvals.ts';
import { DrError } from '../domain/errors.ts';
import type { CheckApprovalResult } from '../domain/plan.ts';
import { guarded, type Call, type Deps } from './guard.ts';

/** Whether an approval counts. Who may approve, and with which key, stands in the worker's own configuration. */

export function createApprovalActivities(deps: Deps) {
  return { 'check-approval': guarded(deps, 'probe', checkApproval) };
}

/** Clocks of two hosts may differ; a signature from the future is none of today. */
const CLOCK_LIMIT_MS = 2 * 60_000;

/** @throws DrError APPROVAL_REFUSED, TOOL_MISSING */
async function checkApproval(
  { deployment, input }: Call,
  args: ApprovalArgs,
  roles: readonly string[],
): Promise<CheckApprovalResult> {
  const refuse = (reason: string): DrError =>
    new DrError('APPROVAL_REFUSED', { step: args.step, actor: args.actor, run: input.run, reason });
  const who = deployment.approvers?.find(({ name }) => samePerson(name, args.actor));
  if (!who || who.name !== args.actor) throw refuse(`${args.actor} is not listed under approvers`);
  if (!mayApprove(who, { roles })) throw refuse(`${who.name} has not the role ${roles.join(' or ')}`);
  if (who.key === undefined) return { summary: `${who.name} is listed`, identity: 'asserted' };
  if (!isSigned(args)) throw refuse('it is not signed, and a key is configured for every approver');
  if (Date.parse(args.at) > Date.now() + CLOCK_LIMIT_MS)
    throw refuse(`it was signed in the future, at ${args.at}`);
  const problem = await signatureProblem(approvalText(args), args.signature, {
    name: who.name,
    key: who.key,
  });
  if (problem !== undefined) throw refuse(problem);
  return { summary: `signed by ${who.name}`, identity: 'proven', key: fingerprint(who.key) };
}

/** The workflow has checked the shape: what belongs to a signature stands beside it. */
function isSigned(args: ApprovalArgs): args is SignedApproval {
  return args.signature !== undefined;
}
