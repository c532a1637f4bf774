import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { fromRoot } from './root.mjs';
import { runLogged } from './run-logged.mjs';

export const nodeModules = {
  title: 'node_modules',

  /** npm writes node_modules/.package-lock.json last: what it records is there, and whole. */
  look() {
    const installed = packagesOf('node_modules/.package-lock.json');
    if (installed === undefined) return 'npm ci has not run to its end yet';
    const wanted = packagesOf('package-lock.json');
    const differs = Object.keys(wanted).find(
      (path) => path !== '' && !isInstalled(wanted[path], installed[path]),
    );
    return differs === undefined ? undefined : `${differs} is not what package-lock.json says`;
  },

  make: () => runLogged(['npm', 'ci'], { cwd: fromRoot('.') }),
};

/** Optional packages are those of other platforms: npm leaves them out. */
function isInstalled(wanted, installed) {
  if (installed === undefined) return wanted.optional === true;
  return isDeepStrictEqual([wanted.version, wanted.integrity], [installed.version, installed.integrity]);
}

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(fromRoot(path), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
