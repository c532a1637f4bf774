import { WorkflowNotFoundError } from '@temporalio/client';
import { fenceId } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import type { Door } from './client.ts';

/** Whether a site that was given up on a person's word has been fenced after all. A line for each of its workers. */
export async function lateFences({ client, config }: Door, record: RunRecord): Promise<string[]> {
  if (!record.decisions.some(({ kind }) => kind === 'confirm')) return [];
  const site = config.deployments[record.deployment]?.sites[record.from];
  const workers = new Set(
    [site, site?.redis, site?.database, site?.dashboard, site?.pump, ...(site?.gateways ?? [])].map(
      (part) => part?.worker ?? site?.worker,
    ),
  );
  const lines = await Promise.all(
    [...workers].map(async (worker) => {
      const handle = client.workflow.getHandle(fenceId(record.deployment, record.run, worker ?? ''));
      try {
        const { status, closeTime } = await handle.describe();
        if (status.name === 'COMPLETED')
          return `  fence of ${record.from}: set by its worker ${worker} at ${closeTime?.toISOString()}`;
        return `  fence of ${record.from}: NOT SET, its worker ${worker} has not answered yet (${status.name.toLowerCase()})`;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      }
    }),
  );
  return lines.filter((line) => line !== undefined);
}
