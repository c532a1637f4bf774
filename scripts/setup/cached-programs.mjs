import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fromRoot } from './root.mjs';
import { runLogged } from './run-logged.mjs';

/**
 * Programs that no Debian package brings: built once from source for each user, and kept beside all checkouts.
 * One entry here is all that another one needs.
 */
const PROGRAMS = [
  {
    name: 'temporal',
    version: '1.5.1',
    purpose: 'the Temporal development server',
    // Of this CLI, later versions cannot be installed from source by go install.
    source: 'github.com/temporalio/cli/cmd/temporal@v1.5.1',
    takes: 'about 3 minutes, once',
    /** Is the one on PATH good enough? Updates with validators and the new matcher came by this server. */
    suits: (versionText) => atLeast(/Server (\d+)\.(\d+)/.exec(versionText), [1, 29]),
  },
  {
    name: 'ferretdb',
    // Of FerretDB, as go.mod has it, and of our main; lab/mongodb.ts looks for both.
    version: '1.24.2-2',
    purpose: 'the MongoDB server of the lab: FerretDB with its SQLite handler, for Debian has no mongod',
    folder: 'lab/ferretdb',
    takes: 'about a minute, once',
    suits: () => false,
  },
  {
    name: 'gofakes3',
    version: '1.2.0',
    purpose: 'the S3 server of the tests',
    source: 'github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0',
    takes: 'some seconds, once',
    /** It does not tell its version. */
    suits: () => false,
  },
];

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tyk-dr', 'bin');

export const cachedPrograms = PROGRAMS.map((program) => ({
  title: `${program.name} ${program.version}`,

  look() {
    if (existsSync(cached(program)) || program.suits(versionOnPath(program.name))) return undefined;
    return `${program.purpose} is neither on PATH nor in ${CACHE}; building it takes ${program.takes}`;
  },

  make: () => build(program),
}));

const cached = ({ name, version }) => join(CACHE, `${name}-${version}`);

/** Built aside and renamed: whoever finds the program in the cache finds it whole. */
async function build(program) {
  mkdirSync(CACHE, { recursive: true });
  for (const entry of readdirSync(CACHE)) {
    if (entry.startsWith(`${program.name}.building-`)) rmSync(join(CACHE, entry), { recursive: true });
  }
  const aside = join(CACHE, `${program.name}.building-${process.pid}`);
  try {
    // Either a program that its authors publish as such, or a main of ours.
    const source = program.source ?? '.';
    await runLogged(['go', 'install', '-trimpath', '-ldflags=-s -w', source], {
      cwd: program.folder === undefined ? homedir() : fromRoot(program.folder),
      // Only the compiler that was checked, no C compiler, and no settings of a Go workspace around us.
      env: { GOBIN: aside, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' },
    });
    renameSync(join(aside, program.name), cached(program));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function versionOnPath(name) {
  return spawnSync(name, ['--version'], { encoding: 'utf8', timeout: 10_000 }).stdout ?? '';
}

function atLeast(match, [major, minor]) {
  if (match === null) return false;
  return Number(match[1]) > major || (Number(match[1]) === major && Number(match[2]) >= minor);
}
