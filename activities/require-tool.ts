import type { Deployment } from '../domain/config.ts';
import { run } from '../adapters/process/run.ts';
import { DrError } from '../domain/errors.ts';

/** @throws DrError TOOL_MISSING */
export async function requireTool(tool: string, host = 'the target'): Promise<void> {
  await run(['which', tool]).catch((error: unknown) => {
    throw new DrError('TOOL_MISSING', { tool, host }, { cause: error });
  });
}

/** What verifies signed approvals, where they must be signed. */
export function signingTools({ approvers = [] }: Deployment): string[] {
  return approvers.some(({ key }) => key !== undefined) ? ['ssh-keygen'] : [];
}
