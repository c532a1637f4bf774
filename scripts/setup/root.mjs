import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);

/** The path of something in the repository. */
export function fromRoot(path) {
  return fileURLToPath(new URL(path, ROOT));
}
