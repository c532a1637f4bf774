import type { KeptPack } from '../domain/evidence.ts';
import { askAny } from './ask-any.ts';

const EXPORT_TIMEOUT_MS = 120_000;

export interface ExportEvidenceInput {
  readonly deployment: string;
  readonly run: string;
  /** Asked in this order, until one has repository and key. */
  readonly workers: readonly string[];
}

/** Makes an evidence pack where the signing key is. Outside every lock: two at a time stand behind one another. */
export function exportEvidence({ deployment, run, workers }: ExportEvidenceInput): Promise<KeptPack> {
  return askAny<ExportActivities, KeptPack>(
    workers,
    `Evidence of ${run}`,
    (activities) => activities['export-evidence'](deployment, run),
    EXPORT_TIMEOUT_MS,
  );
}

interface ExportActivities {
  'export-evidence': (deployment: string, run: string) => Promise<KeptPack>;
}
