import { exportPack } from '../adapters/evidence/export.ts';
import { readRun } from '../adapters/backup/runs.ts';
import type { RunHistory } from '../adapters/temporal/history.ts';
import { DrError } from '../domain/errors.ts';
import type { KeptPack, RenderEvidence } from '../domain/evidence.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** Evidence of a run, made where the repository and the signing key are; never a signature over what somebody sends. */

export interface EvidenceMakers {
  readonly version: string;
  readonly render: RenderEvidence;
  /** What Temporal has of a run, by a connection of the worker's own. */
  history(run: string): Promise<RunHistory>;
}

export function createEvidenceActivities(deps: Deps, { version, render, history }: EvidenceMakers) {
  return {
    'export-evidence': (name: string, run: string): Promise<KeptPack> =>
      asActivity(async () => {
        const deployment = deps.deployment(name);
        const told = await history(run);
        const record = (await readRun(deployment.backup, name, run)) ?? told.record;
        if (record?.deployment !== name) throw new DrError('UNKNOWN_RUN', { run });
        return exportPack(deployment, record, told, {
          ...{ version, render },
          secret: (reference) => deps.secret(reference),
          used: deps.usedSecrets(),
        });
      }),
  };
}
