import { removeEmptyFolders, removeFiles, rename, listFiles, type RcloneOptions } from '../rclone/rclone.ts';
import type { Remote } from '../rclone/remote.ts';
import { copyFolders } from './copy-record.ts';
import { CONDEMNED } from './prune.ts';

/** Letting go of a set at a copy, in the order of the repository: its manifest first, which makes it no backup. */

/** Tolerates a set of which only a part is left: called again it goes on where it was cut off. */
export async function deleteSetAtCopy(
  remote: Remote,
  deployment: string,
  set: string,
  options: RcloneOptions = {},
): Promise<void> {
  const folder = copyFolders(deployment, set).set;
  const names = (await listFiles(remote, folder, options)).map(({ path }) => path);
  if (names.includes('manifest.json'))
    await rename(remote, `${folder}/manifest.json`, `${folder}/${CONDEMNED}`, options);
  const rest = names.filter((name) => name !== 'manifest.json' && name !== CONDEMNED);
  await removeFiles(remote, folder, rest, options);
  // Last: it says that what is left here is no copy that was cut off.
  await removeFiles(remote, folder, [CONDEMNED], options);
  await removeEmptyFolders(remote, folder, options);
}
