import type { Deployment } from '../../domain/config.ts';
import { drillStanding, type DrillStanding } from '../../domain/drill-standing.ts';
import { findingsOf, type Finding } from '../../domain/findings.ts';
import type { Entry } from '../../domain/journal.ts';
import type { CurrentState } from '../../domain/major-change.ts';
import type { RunRecord } from '../../domain/run.ts';
import { standingFindings } from '../../domain/standing-findings.ts';
import { configDigest } from '../config/digest.ts';
import { readJournal } from './journal.ts';
import { isUsable, listSets, readManifest } from './repository.ts';
import { listRecords } from './runs.ts';

/** All that is known of how a deployment improves: its runs, what people said, and what follows from both. */

export interface KnownImprovement {
  /** Oldest first. */
  readonly records: readonly RunRecord[];
  readonly entries: readonly Entry[];
  readonly standing: DrillStanding;
  readonly findings: readonly Finding[];
  /** Files of the journal that are no events any more. */
  readonly damaged: readonly string[];
}

/** @param now UTC ISO @throws DrError REPOSITORY_UNREADABLE */
export async function readImprovement(
  deployment: Deployment,
  name: string,
  now: string,
): Promise<KnownImprovement> {
  const [records, { entries, damaged }, current] = await Promise.all([
    listRecords(deployment.backup, name),
    readJournal(deployment.backup, name),
    currentState(deployment, name),
  ]);
  const limits = deployment.drill?.majorChange ?? DEFAULT_LIMITS;
  const { roles } = deployment;
  const standing = drillStanding({ records, entries, roles, limits, current, now });
  const findings = findingsOf(records, entries, now, standingFindings(standing, now));
  return { records, entries, standing, findings, damaged };
}

/** As the schema has them where the section is left out. */
const DEFAULT_LIMITS = { config: true, versions: true, dataPercent: 50 };

async function currentState(deployment: Deployment, name: string): Promise<CurrentState> {
  const { backup } = deployment;
  const newest = (await listSets(backup, name)).find(isUsable);
  const manifest = newest && (await readManifest(backup, name, newest.set)).manifest;
  return {
    configDigest: configDigest(deployment),
    ...(newest && manifest
      ? {
          set: {
            ...{ set: newest.set, versions: manifest.versions },
            bytes: (newest.bytes ?? 0) + (manifest.database?.databaseBytes ?? 0),
          },
        }
      : {}),
  };
}
