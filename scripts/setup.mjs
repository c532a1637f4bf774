#!/usr/bin/env node
import { performance } from 'node:perf_hooks';
import { buildOutput } from './setup/build-output.mjs';
import { cachedPrograms } from './setup/cached-programs.mjs';
import { debianPackages } from './setup/debian-packages.mjs';
import { withLock } from './setup/lock.mjs';
import { nodeModules } from './setup/node-modules.mjs';
import { checkPrerequisites } from './setup/prerequisites.mjs';
import { SetupError } from './setup/setup-error.mjs';

/**
 * `npm run setup`: makes a fresh clone ready for `npm test` and `npm run demo`. Needs nothing but Node itself, may
 * be called any number of times, and does only what is missing. `--quiet` prints only what it had to do.
 *
 * Each part is `{ title, look, make }`: `look` says why there is something to do, or nothing; `make` does it.
 * Exit codes: 0 ready, 1 a part failed, 2 this machine lacks something that only its owner can give.
 */
const PARTS = [debianPackages, nodeModules, ...cachedPrograms, buildOutput];

const quiet = process.argv.includes('--quiet');
const startedAt = performance.now();

try {
  await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`error: ${error.message}\n${error.hint ? `hint: ${error.hint}\n` : ''}`);
  process.exitCode = error.exitCode;
}

async function setUp() {
  const found = checkPrerequisites();
  say(`ready  ${found}`);
  // Two looks: the first without the lock keeps the usual case quick; the second, below the lock, finds what
  // another set-up has done meanwhile.
  const todo = PARTS.filter((part) => {
    const why = part.look();
    if (why === undefined) say(`ready  ${part.title}`);
    return why !== undefined;
  });
  if (todo.length > 0) {
    await withLock(
      () => tell('wait   another set-up of this user is at work'),
      async () => {
        for (const part of todo) await makeReady(part);
      },
    );
  }
  say(`all ready after ${seconds(startedAt)}`);
}

async function makeReady(part) {
  const why = part.look();
  if (why === undefined) return tell(`ready  ${part.title}: made by another set-up`);
  const partStartedAt = performance.now();
  tell(`make   ${part.title}: ${why}`);
  await part.make();
  const left = part.look();
  if (left !== undefined) throw new SetupError(`${part.title} is still not ready: ${left}`);
  tell(`ready  ${part.title} after ${seconds(partStartedAt)}`);
}

function say(line) {
  if (!quiet) tell(line);
}

/** On standard error: what `npm test` and `npm run demo` print on standard output is theirs alone. */
function tell(line) {
  process.stderr.write(`${line}\n`);
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
