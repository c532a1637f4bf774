import { run } from '../adapters/process/run.ts';
import { DrError } from '../domain/errors.ts';

/** @throws DrError TOOL_MISSING */
export async function requireTool(tool: string): Promise<void> {
  await run(['which', tool]).catch((error: unknown) => {
    throw new DrError('TOOL_MISSING', { tool, host: 'the target' }, { cause: error });
  });
}
