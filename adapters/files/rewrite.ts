import { chmod, chown, rename, stat, writeFile } from 'node:fs/promises';

/** Gives a file another text: whole or not at all, with the owner and the mode that it has. */
export async function rewrite(file: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(file);
  const fresh = `${file}.tyk-dr`;
  // Readable to nobody else until it has the mode that it is to have: a password may be in it.
  await writeFile(fresh, text, { mode: 0o600 });
  await chmod(fresh, mode & 0o7777);
  if (process.getuid?.() === 0) await chown(fresh, uid, gid);
  await rename(fresh, file);
}
