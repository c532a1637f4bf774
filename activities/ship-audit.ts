import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shipAudit } from '../adapters/beacon/audit.ts';
import { readDrillMark } from '../adapters/host/drill-mark.ts';
import { journalFolders } from '../adapters/beacon/files.ts';
import type { BeaconOptions } from './beacon.ts';
import { serves } from './site.ts';

/** Keeps what the Dashboard's audit log says outside the site, a few seconds behind. */

const LOOK_EVERY_MS = 5_000;

/** Runs until the signal. Never throws: a log that is not there is said once, and looked for again. */
export async function keepAudit({
  deps,
  deployment: name,
  siteName,
  say,
  signal,
}: BeaconOptions): Promise<void> {
  const section = deps.deployment(name);
  const site = section.sites[siteName]!;
  const file = site.dashboard?.auditLog;
  if (file === undefined || !section.beacon || !serves(deps.worker, site, site.dashboard)) return;
  const folders = journalFolders(section, name);
  const cursorFile = join(site.stateDir, 'audit-cursor.json');
  let [seen, said] = ['', ''];
  while (!signal.aborted) {
    try {
      const { ino, size } = await stat(file);
      // What a rehearsal writes there is nobody's trail.
      const isDrill = (await readDrillMark(site.stateDir)) !== undefined;
      if (!isDrill && `${ino} ${size}` !== seen) {
        const { taken, foreign } = await shipAudit(
          { file, cursorFile, site: siteName, worker: deps.worker, folders },
          Date.now(),
        );
        seen = `${ino} ${size}`;
        if (foreign > 0 && taken === 0 && said !== 'foreign')
          say(`finds no audit log in JSON in ${file}: set audit.format to json in tyk_analytics.conf`);
        if (foreign > 0) said = 'foreign';
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // A Dashboard that has not written yet has none.
      if (said !== message && code !== 'ENOENT') say(`cannot keep the audit log: ${message}`);
      said = message;
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
