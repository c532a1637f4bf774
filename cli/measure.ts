import { randomBytes } from 'node:crypto';
import { rpoOf } from '../domain/objectives.ts';
import type { HostFigures } from '../domain/figures.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { measure } from '../workflows/index.ts';
import { BRIEF_TASK_TIMEOUT_MS, deploymentOf, type Door } from './client.ts';
import { hostsThatAnswer } from './doctor.ts';

const DEADLINE_MS = 30_000;

/** What the workers that answer measure of a deployment now; nothing where none does. */
export async function measureNow(door: Door, name: string): Promise<HostFigures[]> {
  const { hosts } = await hostsThatAnswer(door, name);
  if (hosts.length === 0) return [];
  return door.client.workflow.execute<typeof measure>('measure', {
    workflowId: `measure/${name}/${randomBytes(4).toString('hex')}`,
    taskQueue: WORKFLOW_QUEUE,
    args: [{ deployment: name, rpoMs: rpoOf(deploymentOf(door.config, name)), hosts }],
    workflowExecutionTimeout: DEADLINE_MS,
    workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
    staticSummary: `What would ${name} lose now?`,
  });
}
