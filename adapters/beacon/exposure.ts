import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EXPOSURE_DAYS, type ExposureSample } from '../../domain/exposure.ts';
import { jsonOf } from '../../domain/json.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { dayOf } from './files.ts';

/** What would have been lost, look by look, a file a day and worker beside the journal. */

const DAY_MS = 86_400_000;
const FILE = /^(\d{4}-\d{2}-\d{2})\.[a-z0-9-]+\.jsonl$/;

const exposureFolder = (folder: string): string => join(folder, 'exposure');

export async function keepExposure(folder: string, worker: string, sample: ExposureSample): Promise<void> {
  const own = exposureFolder(folder);
  await mkdir(own, { recursive: true });
  await appendFile(join(own, `${sample.at.slice(0, 10)}.${worker}.jsonl`), `${JSON.stringify(sample)}\n`);
  const oldest = dayOf(Date.parse(sample.at) - (EXPOSURE_DAYS + 1) * DAY_MS);
  for (const name of await readdir(own))
    if ((FILE.exec(name)?.[1] ?? oldest) < oldest) await rm(join(own, name), { force: true });
}

/** Of the last 30 days, of every place that can be read; a line that is none is left out. */
export async function readExposures(folders: readonly string[], nowMs: number): Promise<ExposureSample[]> {
  const since = dayOf(nowMs - EXPOSURE_DAYS * DAY_MS);
  const samples = new Map<string, ExposureSample>();
  for (const folder of folders.map(exposureFolder)) {
    const names = (await readdir(folder).catch(() => [])).filter(
      (name) => (FILE.exec(name)?.[1] ?? '') >= since,
    );
    const texts = await mapParallel(names, (name) => readFile(join(folder, name), 'utf8').catch(() => ''));
    for (const line of texts.join('').split('\n')) {
      const sample = line === '' ? undefined : (jsonOf(line) as ExposureSample | undefined);
      // Kept at two places it is one look.
      if (typeof sample?.at === 'string' && typeof sample.stores === 'object') samples.set(line, sample);
    }
  }
  return [...samples.values()];
}
