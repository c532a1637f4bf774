/** Which build of tyk-dr a process runs: two hosts with different ones must be seen, before a recovery meets it. */
export interface Build {
  readonly version: string;
  /** Digest of the compiled code; `source` where it runs without a build. */
  readonly code: string;
  /** Digest of what runs as workflows: a run in flight is replayed by it. */
  readonly workflows: string;
}

/** A worker's process that has had part in a run. */
export interface ServedBy {
  readonly worker: string;
  readonly build: Build;
}

/** The same in the record of a run: one entry for each worker and build. */
export interface ServedFrom extends ServedBy {
  /** The first step that it answered for. */
  readonly step: string;
}

export function buildText({ version, code, workflows }: Build): string {
  return `${version} (code ${code}, workflows ${workflows})`;
}

export function sameBuild(one: Build, other: Build): boolean {
  return one.version === other.version && one.code === other.code && one.workflows === other.workflows;
}
