import { DrError } from '../domain/errors.ts';
import type { Attestation, ServiceFacts } from '../domain/manifest.ts';
import { relationText } from '../domain/relations.ts';
import type { StepResult } from '../domain/run.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import { newestSet } from './chosen-set.ts';
import { checkSet, type CheckedSet } from './check-set.ts';
import { methodOf, requireMethod } from './database/choose.ts';
import type { ScratchDatabase } from './database/method.ts';
import type { BackupCall } from './guard.ts';
import { keepProof, proofOf } from './keep-proof.ts';
import { clearLeftovers, scratchPath } from './leftovers.ts';
import { manifestOf, setOf } from './open-set.ts';
import { verifySnapshot } from './verify-snapshot.ts';
import { verifyStores, type ProvenStores } from './verify-stores.ts';
import { verifyTrees } from './verify-trees.ts';

/** A set counts as verified only after it was restored and compared. What was found is signed, bound to the manifest. */
export async function verifySet(call: BackupCall): Promise<StepResult> {
  const { site, input } = call;
  if (snapshotKind(input.set) !== undefined) return verifySnapshot(call);
  await clearLeftovers(call);
  const { manifest, sha256 } = await manifestOf(setOf(call));
  if (site.database) requireMethod(site.database, manifest, input.site);
  const method = manifest.database && site.database && methodOf(site.database);
  const scratch = method?.scratchFolder(call);
  const begun = performance.now();
  try {
    await refuseDoubts(call, await checkSet(call, manifest, manifest.database && site.database));
    let stores: ProvenStores | undefined;
    const whileUp = async (up?: ScratchDatabase): Promise<void> =>
      void (stores = await verifyStores(call, manifest, up));
    const database =
      scratch === undefined ? undefined : await method?.verify(call, manifest, scratch, whileUp);
    if (!stores) await whileUp();
    const trees = await verifyTrees(call, manifest, scratchPath(site, 'verify', input.set));
    const attestation = proofOf(call, sha256, begun, {
      ...stores,
      ...(database ? { database: database.facts } : {}),
    });
    const unkept = await keepProof(call, attestation);
    return { summary: [summarise(attestation, database?.detail, trees), ...unkept].join('; ') };
  } finally {
    await clearLeftovers(call);
  }
}

function summarise(proven: Attestation, detail: string | undefined, trees: number): string {
  const { set, redis, relations, services } = proven;
  const rows = Object.values(proven.database?.rows ?? {});
  const counted = rows.reduce((sum, count) => sum + count, 0);
  return [
    `${set} restored ${proven.copy === undefined ? '' : `from the off-site copy ${proven.copy} alone `}into scratch instances: ${redis?.keys ?? 0} keys`,
    `${counted} rows in ${rows.length} tables${detail === undefined ? '' : ` (${detail})`}`,
    `${trees} configuration trees`,
    relations ? relationText(relations) : 'keys against APIs and policies not measured',
    serviceText(services),
  ].join(', ');
}

function serviceText(services: ServiceFacts | undefined): string {
  if (!services) return 'a Dashboard and a Gateway on it not measured';
  const { dashboardApis, gatewayApis, request } = services;
  const gateway = gatewayApis === undefined ? 'a Gateway not measured' : `a Gateway loaded ${gatewayApis}`;
  const served = gatewayApis === undefined ? '' : ` and served ${request ?? 'nothing: no probe is an api'}`;
  return `a Dashboard listed ${dashboardApis} APIs, ${gateway}${served}`;
}

/**
 * What a recovery could live with fails a proof. A gap in the WAL behind the set counts only where no newer set begins
 * after it: WAL that lies between two sets may have been let go.
 */
async function refuseDoubts(call: BackupCall, { doubts, walGap }: CheckedSet): Promise<void> {
  const { input } = call;
  if (doubts.length > 0)
    throw new DrError('OBJECT_DAMAGED', {
      object: 'of the database repository',
      set: input.set,
      reason: doubts.join('; '),
    });
  if (walGap === undefined) return;
  if ((await newestSet(call)) === input.set) throw new DrError('WAL_MISSING', { segment: walGap });
}
