import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

/**
 * Bundles the workflow code once, after `tsc`: a worker then starts at once, and code that must not be in the
 * sandbox (Node's own modules, zod) stops the build instead of a recovery. The bundle is CommonJS, hence `.cjs`.
 */
const ENTRY = fileURLToPath(new URL('../workflows/index.js', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../workflow-bundle.cjs', import.meta.url));

const nothing = (): void => undefined;
const quiet: Logger = {
  log: nothing,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: console.warn,
  error: console.error,
};

if (existsSync(ENTRY)) {
  const { code } = await bundleWorkflowCode({ workflowsPath: ENTRY, logger: quiet });
  // Renamed into place: a worker that starts meanwhile reads the old bundle or the new one.
  await writeFile(`${BUNDLE}.new`, code);
  await rename(`${BUNDLE}.new`, BUNDLE);
}
