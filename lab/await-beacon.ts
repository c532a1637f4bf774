import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sortFiles } from '../adapters/beacon/files.ts';
import { outside, type Lab, type SiteName } from './layout.ts';

/** A worker has just started, or finds out that its site serves. */
const PATIENCE_MS = 10_000;
const FRESH_MS = 3_000;

/**
 * A backup that is taken before the first number holds none, and what a recovery from it has lost could not be measured.
 *
 * @returns whether each store of the site has acknowledged a number by now; a site that was given up gets none.
 */
export async function awaitBeacon(lab: Lab, site: SiteName): Promise<boolean> {
  const stores = lab.mode === 'files' ? [/ r-?\d/] : [/ r-?\d/, / d-?\d/];
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(200)) {
    const text = await newestLines(outside(lab, 'sets', 'acme', 'beacon'), site);
    if (stores.every((store) => store.test(text))) return true;
  }
  return false;
}

/** What was written in the last seconds, of every file of the site's. */
async function newestLines(folder: string, site: SiteName): Promise<string> {
  const { logs } = sortFiles(await readdir(folder).catch(() => []));
  const texts = [...logs.values()]
    .flat()
    .filter((log) => log.site === site)
    .map(async ({ name }) => {
      const file = join(folder, name);
      const { mtimeMs } = await stat(file);
      return Date.now() - mtimeMs < FRESH_MS ? (await readFile(file, 'utf8')).slice(-200) : '';
    });
  return (await Promise.all(texts)).join('\n');
}
