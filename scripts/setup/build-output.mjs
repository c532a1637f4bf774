import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromRoot } from './root.mjs';
import { runLogged } from './run-logged.mjs';

/** Holds the hash of the sources that dist/ was built from; written last. */
const STAMP = fromRoot('dist/.sources');
const SETTINGS = ['package-lock.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

export const buildOutput = {
  title: 'dist',

  look() {
    if (!existsSync(STAMP)) return 'npm run build has not run to its end yet';
    return readFileSync(STAMP, 'utf8') === hashOfSources() ? undefined : 'the sources have changed';
  },

  async make() {
    rmSync(STAMP, { force: true });
    // Taken before the build: what is edited meanwhile is found by the next look.
    const hash = hashOfSources();
    await runLogged(['npm', 'run', '--silent', 'build'], { cwd: fromRoot('.') });
    writeFileSync(STAMP, hash);
  },
};

function hashOfSources() {
  const { include } = JSON.parse(readFileSync(fromRoot('tsconfig.build.json'), 'utf8'));
  const folders = include.map((pattern) => pattern.split('/')[0]);
  const hash = createHash('sha256');
  for (const path of [...SETTINGS, ...folders.flatMap(filesBelow)].sort()) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(fromRoot(path)))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  if (!existsSync(fromRoot(folder))) return [];
  return readdirSync(fromRoot(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(fromRoot('.').length));
}
