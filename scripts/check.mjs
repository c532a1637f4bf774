#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { fromRoot } from './setup/root.mjs';

/**
 * `npm run check`: the one loop of a developer. Runs every part, prints the output of those that fail, and how long
 * each took. `--no-tests` leaves the tests out, for whoever runs all of them anyway.
 */
const PARTS = [
  // The longest first, so that the short ones fill the other processor.
  { name: 'eslint', argv: ['eslint', '--max-warnings', '0', '.'] },
  {
    name: 'tests',
    argv: ['vitest', 'run', '--project', 'unit', '--project', 'workflow', '--project', 'replay'],
  },
  { name: 'tsc', argv: ['tsc', '-p', '.', '--incremental', '--tsBuildInfoFile', 'dist/.check.tsbuildinfo'] },
  { name: 'build and workflow bundle', argv: ['npm', 'run', '--silent', 'build'] },
  { name: 'prettier', argv: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'unused code (knip)', argv: ['knip'] },
  { name: 'exported scripts (shellcheck)', argv: ['node', '--import', 'tsx', 'scripts/shellcheck.ts'] },
  { name: 'generated docs', argv: ['npm', 'run', '--silent', 'docs', '--', '--check'] },
];

const parts = PARTS.filter(({ name }) => name !== 'tests' || !process.argv.includes('--no-tests'));
const startedAt = performance.now();
const failed = [];

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
const verdict = failed.length === 0 ? 'all parts passed' : `failed: ${failed.join(', ')}`;
process.stdout.write(`check: ${verdict} after ${seconds(startedAt)}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function worker() {
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const partStartedAt = performance.now();
    const { code, output } = await run(part.argv);
    const mark = code === 0 ? 'ok    ' : 'FAILED';
    // A part that could not look says so: that is not the same as having found nothing.
    const told = code === 0 && !output.startsWith('skipped:') ? '' : output;
    process.stdout.write(`${mark} ${part.name} (${seconds(partStartedAt)})\n${told}`);
    if (code !== 0) failed.push(part.name);
  }
}

function run(argv) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${fromRoot('node_modules/.bin')}:${process.env.PATH}` };
    const child = spawn(argv[0], argv.slice(1), {
      cwd: fromRoot('.'),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    const keep = (chunk) => chunks.push(chunk);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const done = (code) => resolve({ code, output: Buffer.concat(chunks).toString() });
    child.on('error', (error) => {
      keep(Buffer.from(`${error.message}\n`));
      done(1);
    });
    child.on('close', done);
  });
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
