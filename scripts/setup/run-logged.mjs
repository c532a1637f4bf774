import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetupError } from './setup-error.mjs';

const PROGRESS_EVERY_MS = 5000;
const LINES_SHOWN = 25;

/**
 * Runs a command to its end with its output in a log file; shows only that time passes. Where it fails, the log is
 * kept and its last lines are shown. Ctrl-C reaches the command, and we wait for it: it may have to put things
 * back.
 *
 * @throws SetupError
 */
export async function runLogged(argv, { cwd, env } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tyk-dr-setup-'));
  const log = join(folder, 'log');
  const descriptor = openSync(log, 'w', 0o600);
  process.stderr.write(`       $ ${argv.join(' ')} `);
  const ticking = setInterval(() => process.stderr.write('.'), PROGRESS_EVERY_MS);
  try {
    const { code, interrupted } = await end(argv, { cwd, env, stdio: ['ignore', descriptor, descriptor] });
    process.stderr.write('\n');
    if (interrupted) process.exit(128 + constants.signals[interrupted]);
    if (code !== 0) throw failure(argv, code, log);
    rmSync(folder, { recursive: true });
  } finally {
    clearInterval(ticking);
    closeSync(descriptor);
  }
}

function end(argv, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { ...options, env: { ...process.env, ...options.env } });
    let interrupted;
    // A terminal sends SIGINT to the command as well; SIGTERM comes to us alone and is passed on.
    const onInterrupt = () => (interrupted = 'SIGINT');
    const onTerminate = () => {
      interrupted = 'SIGTERM';
      child.kill('SIGTERM');
    };
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
    const done = (settle) => {
      process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
      settle();
    };
    child.on('error', (error) => done(() => reject(new SetupError(`${argv[0]}: ${error.message}`))));
    child.on('close', (code, signal) => done(() => resolve({ code: code ?? signal, interrupted })));
  });
}

function failure(argv, code, log) {
  const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LINES_SHOWN).join('\n');
  return new SetupError(`${argv.slice(0, 2).join(' ')} ended with ${code}:\n${tail}`, {
    hint: `The whole output is in ${log}.`,
  });
}
