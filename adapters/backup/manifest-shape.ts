import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import { MANIFEST_FORMAT, SET_ID, SNAPSHOT_FORMAT, type Manifest } from '../../domain/manifest.ts';
import { jsonOf } from '../../domain/json.ts';
import { SNAPSHOT_ID, snapshotKind } from '../../domain/snapshot.ts';

/** What a manifest must look like for everything else to rely on it. */

const FINGERPRINT = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });

/** A name or file with a slash could lead outside the folder. */
const COMMON = z.looseObject({
  deployment: z.string(),
  site: z.string(),
  createdAt: z.string(),
  recipients: z.array(z.string()),
  objects: z.array(
    z.object({
      name: z.string(),
      file: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
      plain: FINGERPRINT,
      cipher: FINGERPRINT,
    }),
  ),
  versions: z.record(z.string(), z.string()),
});

const SET = COMMON.extend({
  format: z.literal(MANIFEST_FORMAT),
  set: z.string().regex(SET_ID),
  belongsTo: z.undefined().optional(),
});

/** It stands for one store: what it held of another one would be restored at a moment that nobody asked for. */
const SNAPSHOT = COMMON.extend({
  format: z.literal(SNAPSHOT_FORMAT),
  set: z.string().regex(SNAPSHOT_ID),
  belongsTo: z.object({
    set: z.string().regex(SET_ID),
    manifestSha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  database: z.undefined().optional(),
}).refine(
  ({ set, redis }) => (snapshotKind(set) === 'redis') === (redis !== undefined),
  'a snapshot holds the one store that its id names',
);

/** @param set whose manifest was asked for. @throws DrError MANIFEST_ALTERED */
export function parseManifest(bytes: Buffer, set: string): Manifest {
  // Undefined fits no shape: a signature does not make a document of what is none.
  const kind = snapshotKind(set) === undefined ? SET : SNAPSHOT;
  const shape = kind.safeParse(jsonOf(bytes.toString('utf8')));
  if (shape.success) return shape.data as unknown as Manifest;
  const format = kind === SET ? MANIFEST_FORMAT : SNAPSHOT_FORMAT;
  throw new DrError('MANIFEST_ALTERED', {
    set,
    reason: `it is not a ${format}: ${z.prettifyError(shape.error)}`,
  });
}
