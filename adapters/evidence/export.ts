import type { Deployment } from '../../domain/config.ts';
import { findingsOf } from '../../domain/findings.ts';
import { entriesOf } from '../../domain/journal.ts';
import { DrError } from '../../domain/errors.ts';
import type { KeptPack, RenderEvidence } from '../../domain/evidence.ts';
import type { RunRecord } from '../../domain/run.ts';
import { findSecrets } from '../../domain/scrub.ts';
import { isSecretRef, type Secret, type SecretRef } from '../../domain/secret.ts';
import type { RunHistory } from '../temporal/history.ts';
import { readJournal } from '../backup/journal.ts';
import { listRecords } from '../backup/runs.ts';
import { knownSecrets } from '../versioned/references.ts';
import { keepPack } from './chain.ts';
import { gather } from './gather.ts';

/** Makes one evidence pack, where the repository and the signing key are. */

export interface ExportDeps {
  /** Of tyk-dr. */
  readonly version: string;
  readonly render: RenderEvidence;
  secret(reference: SecretRef): Promise<Secret>;
  /** Secrets that were read before and may stand somewhere still. */
  readonly used?: readonly Secret[];
}

/**
 * @throws DrError EVIDENCE_UNFINISHED, EVIDENCE_HOLDS_SECRET, EVIDENCE_DAMAGED, SECRET_MISSING, REPOSITORY_UNREADABLE,
 *   DISK_FAILED
 */
export async function exportPack(
  deployment: Deployment,
  record: RunRecord,
  history: RunHistory,
  { version, render, secret, used = [] }: ExportDeps,
): Promise<KeptPack> {
  if (record.outcome === undefined) throw new DrError('EVIDENCE_UNFINISHED', { run: record.run });
  const { backup } = deployment;
  // First, for without it all else is in vain.
  const signingKey = await secret(backup.signingKey);
  const secrets = [
    ...(await knownSecrets(deployment, record.to, secret)),
    // Written into the configuration itself, as in an address: not where it should be, and a secret all the same.
    ...findSecrets(JSON.stringify(deployment)).filter(({ value }) => !isSecretRef(value)),
    ...used.map((each) => ({ name: 'that was used', value: each.reveal() })),
  ];
  const more = await improvementOf(deployment, record);
  const { members, absent } = await gather({ record, deployment, history, more, secrets, render });
  const fresh = { run: record.run, tool: `tyk-dr ${version}`, members, absent };
  return keepPack(backup, record.deployment, fresh, signingKey);
}

/** What the run has found and what came of it, and the lessons that were drawn, as of now. */
async function improvementOf({ backup }: Deployment, record: RunRecord): Promise<Record<string, string>> {
  const [records, { entries }] = await Promise.all([
    listRecords(backup, record.deployment),
    readJournal(backup, record.deployment),
  ]);
  const all = records.some(({ run }) => run === record.run) ? records : [...records, record];
  const findings = findingsOf(all, entries, new Date().toISOString()).filter(({ occurrences }) =>
    occurrences.some((each) => each.in === record.run),
  );
  const lessons = entriesOf(entries, 'lesson').filter(({ run }) => run === record.run);
  const text = (what: object): string => `${JSON.stringify({ version: 1, ...what }, undefined, 2)}\n`;
  return {
    'findings.json': text({ findings }),
    ...(lessons.length > 0 ? { 'lessons.json': text({ lessons }) } : {}),
  };
}
