import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCopy } from '../adapters/backup/copy-sets.ts';
import { isUsable, listSets, readManifest } from '../adapters/backup/repository.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import type { Deployment } from '../domain/config.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import { copiesOf, type ListedSet } from './backup-list.ts';

/** `backup list --copy`: what a copy holds by its own word, whatever has become of the repository. */

/** @throws DrError COPY_UNUSABLE, SECRET_MISSING, TOOL_MISSING */
export async function setsAtCopy(
  { backup }: Deployment,
  deployment: string,
  copy: CopyConfig,
): Promise<ListedSet[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'tyk-dr-list-'));
  try {
    const remote = await openRemote(copy, (reference) => resolveSecret(reference));
    const sets = await readCopy({ remote, config: backup, deployment, scratch });
    const here = new Map(
      (await listSets(backup, deployment).catch(unreadable)).filter(isUsable).map((set) => [set.set, set]),
    );
    return await Promise.all(
      sets
        .filter(({ condemned }) => !condemned)
        .map(async ({ signed, hold, condemned: _condemned, opaque: _opaque, ...listing }) => {
          const known = here.get(listing.set);
          // The same id is not enough: what lies there must be what lies here.
          const local =
            known !== undefined &&
            signed !== undefined &&
            (await readManifest(backup, deployment, listing.set)).sha256 === signed.sha256;
          const others = local ? await copiesOf(backup, deployment, known) : [];
          return {
            deployment,
            ...listing,
            local,
            copies: [copy.name, ...others.filter((name) => name !== copy.name)],
            ...(hold ? { hold: hold.reason } : {}),
          };
        }),
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function unreadable(error: unknown): never[] {
  if (!(error instanceof DrError)) throw error;
  process.stderr.write(`note: ${error.message}\n`);
  return [];
}
