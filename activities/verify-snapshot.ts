import { requireParent } from '../adapters/backup/snapshots.ts';
import type { Manifest } from '../domain/manifest.ts';
import { relationText } from '../domain/relations.ts';
import type { StepResult } from '../domain/run.ts';
import type { Definitions } from '../domain/versioned.ts';
import { checkSet } from './check-set.ts';
import type { BackupCall } from './guard.ts';
import { keepProof, proofOf } from './keep-proof.ts';
import { clearLeftovers, scratchPath } from './leftovers.ts';
import { manifestOf, readPart, setOf } from './open-set.ts';
import { verifyStores, type ProvenStores } from './verify-stores.ts';
import { verifyTrees } from './verify-trees.ts';

/**
 * Proves a snapshot by restoring what is in it, and nothing else: Redis in a scratch instance, or every configuration
 * archive. Its set must be there; whether that one is sound is for the set's own proof to say.
 */
export async function verifySnapshot(call: BackupCall): Promise<StepResult> {
  const { site, input } = call;
  const begun = performance.now();
  await clearLeftovers(call);
  const { manifest, sha256 } = await manifestOf(setOf(call));
  const parent = await requireParent(manifest, (set) => manifestOf(setOf(call, set)));
  try {
    await checkSet(call, manifest, undefined);
    const stores = manifest.redis
      ? await verifyStores(call, manifest, { definitions: await definitionsOf(call, parent.manifest) })
      : undefined;
    const trees = stores ? 0 : await verifyTrees(call, manifest, scratchPath(site, 'verify', input.set));
    const attestation = proofOf(call, sha256, begun, stores ?? {});
    const unkept = await keepProof(call, attestation);
    const shown = stores ? redisText(stores) : `${trees} configuration trees unpacked`;
    return {
      summary: [`snapshot ${input.set} of ${manifest.belongsTo!.set}: ${shown}`, ...unkept].join('; '),
    };
  } finally {
    await clearLeftovers(call);
  }
}

/** As the set holds them in the readable form; undefined in a set without a database. */
async function definitionsOf(call: BackupCall, parent: Manifest): Promise<Definitions | undefined> {
  if (!parent.objects.some(({ name }) => name === 'definitions')) return undefined;
  return readPart<Definitions>(setOf(call, parent.set), parent, 'definitions');
}

/** Keys may name what was made after the set: it is told, and judged when both are restored. */
function redisText({ redis, relations }: ProvenStores): string {
  const against = relations
    ? `${relationText(relations)} (as of the set)`
    : 'keys against APIs and policies not measured';
  return `restored into a scratch instance, ${redis?.keys ?? 0} keys; ${against}`;
}
