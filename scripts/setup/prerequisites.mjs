import { spawnSync } from 'node:child_process';
import { SetupError } from './setup-error.mjs';

/**
 * Node as package.json's `engines` has it. Go as the Temporal CLI's go.mod needs it or newer; only what is installed
 * counts, for the build runs with GOTOOLCHAIN=local: a Go that fetches a newer one of itself would download unasked.
 */
const NODE = { from: [20, 19], below: [25, 0], text: '20.19 or later, below 25' };
const GO = { from: [1, 26], text: '1.26 or later' };

/**
 * The two things that the set-up cannot install by itself.
 *
 * @returns what was found, in words
 * @throws SetupError with exit code 2
 */
export function checkPrerequisites() {
  const node = process.versions.node;
  if (before(numbers(node), NODE.from) || !before(numbers(node), NODE.below)) {
    throw missing(
      `this is Node ${node}; tyk-dr needs Node ${NODE.text}`,
      'See https://nodejs.org/en/download.',
    );
  }
  const result = spawnSync('go', ['version'], {
    encoding: 'utf8',
    // The folder's go.mod, or a setting, must not make Go answer for another Go than the one that will build.
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  });
  const go = /go(\d+\.\d+(\.\d+)?)/.exec(result.stdout ?? '')?.[1];
  if (go === undefined) {
    throw missing(
      `Go is not on PATH; the set-up needs Go ${GO.text} to build the Temporal server`,
      'See https://go.dev/doc/install, and put its bin folder on PATH.',
    );
  }
  if (before(numbers(go), GO.from)) {
    throw missing(
      `this is Go ${go}; the set-up needs Go ${GO.text} to build the Temporal server`,
      'See https://go.dev/doc/install.',
    );
  }
  return `Node ${node}, Go ${go}`;
}

const numbers = (version) => version.split('.').map(Number);

const before = (version, limit) =>
  version[0] < limit[0] || (version[0] === limit[0] && version[1] < limit[1]);

const missing = (message, hint) => new SetupError(message, { hint, exitCode: 2 });
