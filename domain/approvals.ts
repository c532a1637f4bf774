import { MAX_NAME, textProblem, whoAndWhyProblem, type ArgumentProblem } from './decision.ts';
import { shown } from './plain-text.ts';

/** Approvals: before a step that a policy names, other people than the starter must agree. Pure. */

/** The steps that an approval may be asked for: all that change something, but the record of the run itself. */
export const APPROVABLE = [
  ...['provision-target', 'fence-source', 'hold-traffic', 'claim-target', 'place-server-config'],
  ...['restore-redis-data', 'start-redis', 'restore-database-data', 'start-database'],
  ...['restore-dashboard-config', 'start-dashboard'],
  ...['restore-gateway-config', 'start-gateways', 'start-pump'],
  ...['switch-traffic', 'protect-database', 'prove-dashboard-edit', 'prove-security', 'discard-old-data'],
] as const;

/** As the plan carries it: no key, no name, only how many of which role. */
export interface ApprovalPolicy {
  readonly step: string;
  readonly count: number;
  /** Any of these; whoever is listed as an approver where it is empty. */
  readonly roles: readonly string[];
  readonly timeoutMs: number;
  readonly onTimeout: 'escalate' | 'abort';
}

/** Whether somebody who is listed may approve by a policy. */
export function mayApprove(
  who: { readonly roles: readonly string[] },
  { roles }: Pick<ApprovalPolicy, 'roles'>,
): boolean {
  return roles.length === 0 || roles.some((role) => who.roles.includes(role));
}

/** The argument of the update `approve`. The last four stand together: they are what a signature is about. */
export interface ApprovalArgs {
  readonly actor: string;
  readonly step: string;
  readonly reason: string;
  readonly run?: string;
  /** Digest of the plan that is approved. */
  readonly plan?: string;
  /** When it was signed, UTC ISO. */
  readonly at?: string;
  /** As `ssh-keygen -Y sign` writes it. */
  readonly signature?: string;
}

export type SignedApproval = Required<ApprovalArgs>;

export interface Approval {
  readonly step: string;
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
  /** `proven` by a signature; `asserted` is a name that somebody has typed. */
  readonly identity: 'proven' | 'asserted';
  /** What was signed, and with what: enough for anybody to verify it again with ssh-keygen. */
  readonly signed?: { readonly text: string; readonly signature: string; readonly key: string };
}

/** An approval that did not count. */
export interface RefusedApproval {
  readonly step: string;
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
  readonly why: string;
}

/** What a waiting step shows of it. */
export interface NeededApproval {
  readonly count: number;
  readonly roles: readonly string[];
  /** When the patience of the policy ends, UTC ISO. */
  readonly dueAt: string;
  readonly onTimeout: ApprovalPolicy['onTimeout'];
}

/** The namespace of the signatures: one that was made for something else does not count here. */
export const SIGNATURE_NAMESPACE = 'tyk-dr';

/** The text that is signed. Every part is one line, so that no reason can pretend to be another part. */
export function approvalText(of: Omit<SignedApproval, 'signature'>): string {
  return [
    'tyk-dr approval, format 1',
    `run: ${of.run}`,
    `step: ${of.step}`,
    `plan: ${of.plan}`,
    `actor: ${of.actor}`,
    `at: ${of.at}`,
    `reason: ${of.reason}`,
    '',
  ].join('\n');
}

const MAX_SIGNATURE = 4_000;

/** What is wrong with the shape of an approval; undefined where nothing is. Takes anything that somebody may paste. */
export function approvalShapeProblem(args: unknown): ArgumentProblem | undefined {
  const given = (typeof args === 'object' && args !== null ? args : {}) as Record<string, unknown>;
  const problem =
    whoAndWhyProblem(args) ?? textProblem('step', given['step'], MAX_NAME, 'the id of the step that waits');
  if (problem || given['signature'] === undefined) return problem;
  const { signature, at } = given;
  if (
    typeof signature !== 'string' ||
    signature.length > MAX_SIGNATURE ||
    signatureBody(signature) === undefined
  )
    return {
      argument: 'signature',
      value: shown(signature),
      expected: 'what tyk-dr sign prints, from BEGIN SSH SIGNATURE to END SSH SIGNATURE',
    };
  if (
    typeof at !== 'string' ||
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(at) ||
    Number.isNaN(Date.parse(at))
  )
    return {
      argument: 'at',
      value: shown(at),
      expected: 'the time that was signed, as tyk-dr sign prints it',
    };
  return (
    textProblem('run', given['run'], 100, 'the run that was signed') ??
    textProblem('plan', given['plan'], 100, 'the digest of the plan that was signed')
  );
}

/** The base64 inside the armour, without line breaks; undefined where there is none. */
export function signatureBody(armoured: string): string | undefined {
  const [, body] =
    /^\s*-----BEGIN SSH SIGNATURE-----([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*$/.exec(armoured) ??
    [];
  return body?.replaceAll(/\s/g, '') || undefined;
}

/** Names that a person could take for one another are one. */
export function samePerson(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}

export function neededText({ count, roles }: Pick<NeededApproval, 'count' | 'roles'>): string {
  const whose = roles.length > 0 ? ` of role ${roles.join(' or ')}` : '';
  return `${count} approval${count === 1 ? '' : 's'}${whose}`;
}

/** Whether anybody has shown who it was, in words. */
export function identityText({ identity, signed }: Pick<Approval, 'identity' | 'signed'>): string {
  return identity === 'proven' ? `proven, signed with ${signed?.key ?? 'a key'}` : 'asserted, not proven';
}
