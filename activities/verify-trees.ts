import { createWriteStream } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackTree } from '../adapters/backup/tree.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { BackupCall } from './guard.ts';
import { openPart, setOf } from './open-set.ts';

/** Unpacks every configuration archive and finds the file without which its component does not start. */
export async function verifyTrees(call: BackupCall, manifest: Manifest, scratch: string): Promise<number> {
  const { dashboard, gateways, pump } = call.site;
  const trees = [
    ...(dashboard ? [{ object: 'dashboard', config: dashboard.config }] : []),
    ...gateways.map((gateway) => ({ object: `gateway-${gateway.name}`, config: gateway.config })),
    ...(pump ? [{ object: 'pump', config: pump.config }] : []),
  ];
  for (const { object, config } of trees) {
    await rm(scratch, { recursive: true, force: true });
    await mkdir(join(scratch, 'tree'), { recursive: true, mode: 0o700 });
    try {
      const archive = join(scratch, 'archive.tar');
      await openPart(setOf(call), manifest, object, createWriteStream(archive, { mode: 0o600 }));
      await unpackTree(archive, join(scratch, 'tree'), object);
      await access(join(scratch, 'tree', config)).catch(() => {
        throw new DrError('OBJECT_DAMAGED', { object, set: manifest.set, reason: `it lacks ${config}` });
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  return trees.length;
}
