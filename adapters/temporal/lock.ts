import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { lockId } from '../../domain/messages.ts';

/**
 * What holds the lock of a deployment: a run, or the type of the workflow. Undefined where nothing does; never throws:
 * what is not known is no free lock.
 */
export async function lockHolder(
  client: Client,
  deployment: string,
  limitMs: number,
): Promise<string | undefined> {
  try {
    const { status, type, memo } = await client.withDeadline(Date.now() + limitMs, () =>
      client.workflow.getHandle(lockId(deployment)).describe(),
    );
    return status.name === 'RUNNING' ? String(memo?.['run'] ?? type) : undefined;
  } catch (error) {
    return error instanceof WorkflowNotFoundError ? undefined : 'not known: Temporal does not answer';
  }
}
