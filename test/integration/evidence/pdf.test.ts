import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printPdf } from '../../../adapters/chromium/print.ts';
import { htmlReport } from '../../../report/html.ts';
import { runRecord } from '../../harness/run-record.ts';

/** A report as PDF, by a real Chromium where one is installed. */

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-pdf-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const installed = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].some(
  (program) => {
    try {
      return execFileSync(program, ['--version'], { stdio: 'ignore' }) !== undefined;
    } catch {
      return false;
    }
  },
);

test.skipIf(!installed)(
  'a report is printed whole (skipped where no Chromium is installed)',
  { timeout: 90_000 },
  async () => {
    const file = join(dir, 'report.pdf');
    await printPdf(htmlReport(runRecord({ outcome: 'RECOVERED' })), file);
    const bytes = await readFile(file);
    expect(bytes.subarray(0, 5).toString()).toBe('%PDF-');
    expect(bytes.toString('latin1').trimEnd().endsWith('%%EOF')).toBe(true);
    expect(bytes.toString('latin1')).toMatch(/\/Type\s*\/Page\b/);
    // The page's own title: it is this report that was printed, and not an error of the browser.
    expect(bytes.toString('latin1')).toMatch(/\/Title\s*\(RECOVERED: recover acme/);
  },
);

test('without one it says so, and makes no file', async () => {
  const before = process.env['PATH'];
  process.env['PATH'] = dir;
  try {
    const file = join(dir, 'none.pdf');
    await expect(printPdf('<p>x</p>', file)).rejects.toMatchObject({ code: 'TOOL_MISSING' });
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  } finally {
    process.env['PATH'] = before;
  }
});
