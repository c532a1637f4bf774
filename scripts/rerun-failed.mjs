#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * `rerun-failed.mjs REPORT`: after a run of all tests, runs the files that failed once more, nothing beside them, and
 * puts what they then give into vitest's JSON report. What passes only now is kept in its `unsteady`, for
 * `test-totals.mjs` to print: it is a bug to be found, but mostly one of a machine with two processors and four servers
 * too many. Many files that fail are no accident: then nothing is run again. Exit code 0 where all passed.
 */
const MOST_FILES = 3;

const [, , path] = process.argv;
const report = JSON.parse(readFileSync(path, 'utf8'));
const failed = report.testResults.filter(({ status }) => status === 'failed');
if (failed.length === 0 || failed.length > MOST_FILES) process.exit(1);

const again = `${path}.again`;
const files = failed.map(({ name }) => relative(process.cwd(), name));
process.stdout.write(`\nrun again, alone: ${files.join(', ')}\n`);
spawnSync(
  process.execPath,
  [
    ...['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...files],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${again}`],
  ],
  { stdio: 'inherit' },
);
const { testResults } = JSON.parse(readFileSync(again, 'utf8'));
rmSync(again);
const now = new Map(testResults.map((file) => [file.name, file]));
report.unsteady = failed
  .filter(({ name }) => now.get(name)?.status === 'passed')
  .flatMap(({ name, assertionResults }) => {
    const tests = assertionResults.filter(({ status }) => status === 'failed');
    const file = relative(process.cwd(), name);
    return tests.length > 0 ? tests.map(({ fullName }) => `${file} > ${fullName}`) : [file];
  });
report.testResults = report.testResults.map((file) => now.get(file.name) ?? file);
writeFileSync(path, JSON.stringify(report));
process.exitCode = report.testResults.every(({ status }) => status !== 'failed') ? 0 : 1;
