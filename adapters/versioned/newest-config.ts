import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newestUsable, readManifest } from '../backup/repository.ts';
import { resolveSecret } from '../config/secrets.ts';
import { listFiles, readBlobs, resolveRef, setCommits, withCopy } from '../git/repository.ts';
import { knownSecrets } from './references.ts';
import { filesOfSet } from './set-files.ts';
import type { Deployment } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { ConfigFiles } from '../../domain/tyk-defaults.ts';

/** The newest configuration that is kept, without its secrets: from git, else from the newest set itself. */
export async function newestConfig(name: string, deployment: Deployment): Promise<ConfigFiles> {
  const scratch = await mkdtemp(join(tmpdir(), 'tyk-dr-handbook-'));
  try {
    const ofGit = await fromGit(name, deployment, join(scratch, 'config.git')).catch((error: unknown) => {
      if (error instanceof DrError) return undefined;
      throw error;
    });
    return ofGit ?? (await fromSet(name, deployment, join(scratch, 'set')));
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return { why: error.message.split('\n')[0]! };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fromGit(name: string, { backup }: Deployment, dir: string): Promise<ConfigFiles | undefined> {
  const { git } = backup;
  if (!git) return undefined;
  return withCopy(git, dir, undefined, async (copy) => {
    const tip = await resolveRef(copy, `refs/heads/${git.branch}`);
    const [newest] = tip === undefined ? [] : await setCommits(copy, tip, name);
    if (!newest) return undefined;
    const files = await listFiles(copy, newest.commit, name);
    const wanted = [...files].filter(([path]) => /^(gateway-[^/]+|dashboard|pump)\/[^/]+$/.test(path));
    const contents = await readBlobs(
      copy,
      wanted.map(([, { blob }]) => blob),
    );
    return {
      from: `git, set ${newest.set}`,
      files: new Map(wanted.map(([path, { blob }]) => [path, contents.get(blob) ?? ''])),
    };
  });
}

async function fromSet(name: string, deployment: Deployment, scratch: string): Promise<ConfigFiles> {
  const { backup } = deployment;
  const set = await newestUsable(backup, name);
  if (set === undefined) return { why: 'there is no backup set yet' };
  const { manifest } = await readManifest(backup, name, set);
  const { files } = await filesOfSet({
    ...{ backup, manifest, scratch },
    identity: await resolveSecret(backup.identity),
    fingerprintKey: await resolveSecret(backup.signingKey),
    known: await knownSecrets(deployment, manifest.site, resolveSecret),
  });
  return { from: `set ${set}`, files: new Map(files.map(({ path, content }) => [path, content])) };
}
