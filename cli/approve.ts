import { userInfo } from 'node:os';
import type { Command } from 'commander';
import {
  approvalShapeProblem,
  approvalText,
  type ApprovalArgs,
  type SignedApproval,
} from '../domain/approvals.ts';
import { DrError } from '../domain/errors.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import { actorArgument, fileArgument, nameArgument, runArgument, textArgument } from './arguments.ts';
import { deploymentOf, findRun, withDoor, type Door } from './client.ts';
import { sendDecision } from './decide.ts';
import { currentRecord } from './run-record.ts';
import { signatureOf } from './sign-text.ts';

/** `tyk-dr approve` and `tyk-dr sign`: a person's word for a step that waits for it, signed where keys are configured. */

interface ApproveOptions {
  readonly reason: string;
  readonly actor?: string;
  readonly key?: string;
  readonly print?: boolean;
}

export function registerApprovals(program: Command, config: () => string | undefined): void {
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'))
      .argument('<step>', 'the step that waits for approval', nameArgument('STEP'))
      .requiredOption('--reason <text>', 'why; kept in the record, and signed', textArgument('--reason'))
      .option('--actor <name>', 'who, as under approvers; default the login name', actorArgument('--actor'))
      .option(
        '--key <file>',
        'the private key to sign with; default what the agent holds, then ~/.ssh/id_ed25519',
        fileArgument('--key'),
      );
  command('approve', 'Approve a step that waits for it; signed where the approvers have keys')
    .option('--print', 'do not send it: print what to paste into the Temporal UI')
    .action((run: string, step: string, options: ApproveOptions) => approve(config(), run, step, options));
  command('sign', 'Print a signed approval, to paste into the Temporal UI as the argument of approve').action(
    (run: string, step: string, options: ApproveOptions) =>
      approve(config(), run, step, { ...options, print: true }),
  );
}

/** The activity that verifies it is given its time, and a worker's answer on top. */
const TAKEN_DEADLINE_MS = 45_000;

async function approve(
  config: string | undefined,
  run: string,
  step: string,
  { print, ...options }: ApproveOptions,
): Promise<void> {
  const plain: ApprovalArgs = { actor: options.actor ?? userInfo().username, step, reason: options.reason };
  const problem = approvalShapeProblem(plain);
  if (problem)
    throw new DrError('BAD_ARGUMENT', {
      ...problem,
      argument: problem.argument === 'step' ? 'STEP' : `--${problem.argument}`,
    });
  await withDoor(config, async (door) => {
    const record = await recordToApprove(door, run);
    const args = await signed(door, record, plain, options.key);
    if (print) {
      process.stdout.write(`${JSON.stringify(args)}\n`);
      process.stderr.write(
        `paste that line as the argument of the update approve of ${record.workflowId} in the Temporal UI\n`,
      );
      return;
    }
    process.stdout.write(`${await sendDecision(door, 'approve', record.run, args, TAKEN_DEADLINE_MS)}\n`);
  });
}

/** What is signed names the run and its plan: both come from the run itself. */
async function recordToApprove(door: Door, run: string): Promise<RunRecord> {
  const record = await currentRecord(door, await findRun(door, run));
  if (!record)
    throw new DrError('DECISION_NOT_TAKEN', { run, to: run, decision: 'approve', queue: WORKFLOW_QUEUE });
  if (record.outcome !== undefined)
    throw new DrError('NOTHING_TO_DECIDE', { run, decision: 'approve', state: `over (${record.outcome})` });
  return record;
}

async function signed(
  door: Door,
  record: RunRecord,
  args: ApprovalArgs,
  keyFile: string | undefined,
): Promise<ApprovalArgs> {
  const { approvers = [] } = deploymentOf(door.config, record.deployment);
  if (keyFile === undefined && !approvers.some(({ key }) => key !== undefined)) return args;
  const who = approvers.find(({ name }) => name === args.actor);
  if (keyFile === undefined && who?.key === undefined)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--actor',
      value: args.actor,
      expected: `one of the approvers of ${record.deployment}: ${approvers.map(({ name }) => name).join(', ')}`,
    });
  const bound: Omit<SignedApproval, 'signature'> = {
    ...args,
    run: record.run,
    plan: record.planDigest,
    at: new Date().toISOString(),
  };
  const text = approvalText(bound);
  process.stderr.write(`signing:\n${text.trimEnd().replaceAll(/^/gm, '  ')}\n`);
  return { ...bound, signature: await signatureOf(text, who, args.actor, keyFile) };
}
