import { run } from '../adapters/process/run.ts';
import { DrError } from '../domain/errors.ts';

/** @throws DrError TOOL_MISSING */
export async function requireTool(tool: string, host = 'the target'): Promise<void> {
  await run(['which', tool]).catch((error: unknown) => {
    throw new DrError('TOOL_MISSING', { tool, host }, { cause: error });
  });
}
