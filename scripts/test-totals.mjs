#!/usr/bin/env node
import { readFileSync } from 'node:fs';

/**
 * `test-totals.mjs REPORT CODE`: prints `N passed, N failed` (and `, N skipped` where there are any) from vitest's
 * JSON report and its exit code. What fails outside any test, a file that does not load or an error that nobody
 * caught, counts as one failed test. Exit code 1 where any failed or none ran.
 */
const [, , path, exitCode] = process.argv;
const report = JSON.parse(readFileSync(path, 'utf8'));
const tests = report.testResults.flatMap((file) => file.assertionResults);
const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length;

const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
);
const passed = count('passed');
const known = count('failed') + brokenFiles.length;
const failed = known === 0 && exitCode !== '0' ? 1 : known;
const skipped = count('pending', 'skipped', 'todo', 'disabled');

for (const test of report.unsteady ?? [])
  process.stdout.write(`passed only when run again, alone: ${test}\n`);
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
