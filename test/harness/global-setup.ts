import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A file with the bundle of our workflow code, made once for all test files from the sources as they are. */
    readonly workflowBundlePath: string;
  }
}

const nothing = (): void => undefined;
const quiet: Logger = {
  log: nothing,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: console.warn,
  error: console.error,
};

/** The one thing that is global: bundling takes a second or more, so no test file should do it again. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-bundle-'));
  const path = join(folder, 'workflow-bundle.cjs');
  await writeFile(path, code);
  project.provide('workflowBundlePath', path);
  return () => rm(folder, { recursive: true });
}
