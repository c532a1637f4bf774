import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EXPORTED_VARIANTS, exportedExample } from '../test/harness/exported.ts';

/** Exported scripts, of every kind of deployment, through ShellCheck, where it is installed. */

const run = promisify(execFile);
/** Quotation marks in texts for people are meant as they are. */
const ARGUMENTS = ['--severity=warning', '--exclude=SC1112'];

const installed = await run('shellcheck', ['--version']).then(
  () => true,
  () => false,
);
if (installed) {
  const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-shellcheck-'));
  try {
    for (const [name, change] of Object.entries(EXPORTED_VARIANTS)) {
      const text = (await exportedExample(change)).files['recover-paris.sh'];
      if (text === undefined) throw new Error(`there is no script for ${name}`);
      const file = join(folder, 'recover-paris.sh');
      await writeFile(file, text);
      await run('shellcheck', [...ARGUMENTS, file]).catch((error: { stdout?: string }) => {
        process.stdout.write(`${name}:\n${error.stdout ?? String(error)}`);
        process.exitCode = 1;
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
} else process.stdout.write('skipped: shellcheck is not installed (apt install shellcheck)\n');
