import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildProgram } from '../cli/main.ts';
import { configSchema } from '../domain/config.ts';
import { CHECKS } from '../domain/doctor.ts';
import { ERRORS } from '../domain/error-table.ts';
import { EXIT_CODES } from '../domain/error-kinds.ts';
import { cliPage } from './docs/cli-page.ts';
import { configurationPage } from './docs/configuration-page.ts';
import { controlMapPage } from './docs/control-map-page.ts';
import { doctorPage } from './docs/doctor-page.ts';
import { errorsPage } from './docs/errors-page.ts';
import { readRunbooks, runbooksPage } from './docs/runbooks-page.ts';

/**
 * `npm run docs`: writes the pages that say what the code already says, from the code. `npm run docs -- --check`
 * writes nothing and fails where a page is stale.
 */

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'docs', 'generated');

const pages: Readonly<Record<string, string>> = {
  'cli.md': cliPage(buildProgram()),
  'configuration.md': configurationPage(configSchema),
  'control-map.md': controlMapPage(),
  'doctor.md': doctorPage(CHECKS),
  'errors.md': errorsPage(ERRORS, EXIT_CODES),
  'runbooks.md': runbooksPage(await readRunbooks(join(ROOT, 'runbooks'))),
};

if (process.argv.includes('--check')) await check();
else await write();

async function write(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  for (const name of await strangers()) await rm(join(FOLDER, name));
  for (const [name, text] of Object.entries(pages)) await writeFile(join(FOLDER, name), text);
  process.stdout.write(`wrote docs/generated/{${Object.keys(pages).join(',')}}\n`);
}

async function check(): Promise<void> {
  const stale = await strangers();
  for (const [name, text] of Object.entries(pages)) {
    const found = await readFile(join(FOLDER, name), 'utf8').catch(() => undefined);
    if (found !== text) stale.push(name);
  }
  for (const name of stale) {
    process.stderr.write(`docs/generated/${name} is not what the code says: run npm run docs\n`);
  }
  process.exitCode = stale.length > 0 ? 1 : 0;
}

/** Pages that nothing generates any more. */
async function strangers(): Promise<string[]> {
  const found = await readdir(FOLDER).catch(() => []);
  return found.filter((name) => !(name in pages));
}
