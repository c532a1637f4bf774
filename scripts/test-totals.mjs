#!/usr/bin/env node
import { readFileSync } from 'node:fs';

/**
 * Prints `N passed, N failed` (and `, N skipped` where there are any) from vitest's JSON report named by the
 * argument. A file that failed before its first test counts as one failed test. Exit code 1 where any failed or
 * none ran.
 */
const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tests = report.testResults.flatMap((file) => file.assertionResults);
const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length;

const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
);
const passed = count('passed');
const failed = count('failed') + brokenFiles.length;
const skipped = count('pending', 'skipped', 'todo', 'disabled');

process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 || passed === 0 || !report.success ? 1 : 0;
