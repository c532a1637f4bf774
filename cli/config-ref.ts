import { randomBytes } from 'node:crypto';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { WORKFLOW_QUEUE, workerQueue } from '../domain/messages.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { resolveConfigRef } from '../workflows/index.ts';
import { TASK_TIMEOUT_MS, type Door } from './client.ts';
import { toldByWorker, workerAway } from './failures.ts';

/**
 * The plan with the commit that `--config-ref` means, as a worker of the target sees it: the one who types need not
 * reach the repository.
 *
 * @throws DrError BAD_ARGUMENT, CONFIG_REF_UNKNOWN, GIT_UNREADABLE, WORKER_MISSING
 */
export async function withConfigRef(
  door: Door,
  deployment: Deployment,
  plan: RecoverPlan,
  ref: string | undefined,
): Promise<RecoverPlan> {
  if (ref === undefined) return plan;
  const name = plan.deployment;
  if (!deployment.backup.git) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--config-ref',
      value: ref,
      expected: `backup.git in the configuration of ${name}: there is no repository to take it from`,
    });
  }
  const worker = plan.workers.lead[0]!;
  try {
    const commit = await door.client.workflow.execute<typeof resolveConfigRef>('resolveConfigRef', {
      workflowId: `config-ref/${name}/${randomBytes(4).toString('hex')}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [worker, name, plan.to, ref],
      workflowExecutionTimeout: '6m',
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      staticSummary: `Which commit is ${ref}?`.slice(0, 200),
    });
    process.stderr.write(`configuration from git ${ref}, commit ${commit.slice(0, 10)}\n`);
    return { ...plan, configRef: { ref, commit } };
  } catch (error) {
    throw toldByWorker(error) ?? workerAway(error, workerQueue(worker)) ?? error;
  }
}
