/** The exported runbook: a page and scripts for the night on which Temporal is gone as well. */

export const RUNBOOK_FORMAT = 'tyk-dr/runbook/v1';

/** The files, and the sites that have no script, with the reasons. */
export interface ExportedRunbook {
  readonly files: Readonly<Record<string, string>>;
  readonly byHand: Readonly<Record<string, readonly string[]>>;
}

/** `runbook.json`: what was written, signed like a manifest. SHA-256 by file name. */
export interface RunbookList {
  readonly format: typeof RUNBOOK_FORMAT;
  readonly deployment: string;
  readonly writtenAt: string;
  readonly configDigest: string;
  readonly files: Readonly<Record<string, string>>;
}

/** The folder in a repository, and at its off-site copies, below that of the deployment. */
export const RUNBOOK_FOLDER = 'runbook';
