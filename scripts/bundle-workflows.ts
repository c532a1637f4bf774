import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

/**
 * Bundles the workflow code once, after `tsc`: a worker then starts at once, and code that must not be in the
 * sandbox (Node's own modules, zod) stops the build instead of a recovery. A bundle is CommonJS, hence `.cjs`. The
 * second one is for workers that encrypt: in it, the texts of failures are payloads as well.
 */
const DIST = new URL('../', import.meta.url);
const at = (path: string): string => fileURLToPath(new URL(path, DIST));
const ENTRY = at('workflows/index.js');
const FAILURES = 'adapters/temporal/failure-converter.cjs';

/** What a worker or a command is made of, and of that, what runs in the sandbox of workflows. */
const CODE = /^(activities|adapters|cli|domain|report|runbooks|worker|workflows)\/.*\.js$/;
const WORKFLOW_CODE = /^(domain|runbooks|workflows)\//;

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
  await copyFile(at(`../${FAILURES}`), at(FAILURES));
  await bundle('workflow-bundle.cjs');
  await bundle('workflow-bundle-encrypted.cjs', at(FAILURES));
  await place('build.json', JSON.stringify(await digests()));
}

async function bundle(name: string, failureConverterPath?: string): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: ENTRY,
    logger: quiet,
    ...(failureConverterPath === undefined ? {} : { failureConverterPath }),
  });
  await place(name, code);
}

/** Renamed into place: a worker that starts meanwhile reads the old one or the new one. */
async function place(name: string, text: string): Promise<void> {
  await writeFile(at(`${name}.new`), text);
  await rename(at(`${name}.new`), at(name));
}

/**
 * Digests of the compiled code, the same wherever the same sources were built: the bundles hold paths of the machine.
 * By them two workers are seen to be of the same build.
 */
async function digests(): Promise<{ code: string; workflows: string }> {
  const files = (await readdir(at('.'), { recursive: true }))
    // What an earlier build has left behind has no source any more.
    .filter((name) => CODE.test(name) && existsSync(at(`../${name.replace(/js$/, 'ts')}`)))
    .sort();
  const [code, workflows] = [createHash('sha256'), createHash('sha256')];
  for (const file of files) {
    const content = await readFile(at(file));
    for (const hash of WORKFLOW_CODE.test(file) ? [code, workflows] : [code])
      hash.update(`${file}\0${content.length}\0`).update(content);
  }
  const short = (hash: Hash): string => hash.digest('hex').slice(0, 12);
  return { code: short(code), workflows: short(workflows) };
}
