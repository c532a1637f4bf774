import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';

/** Prints a page as PDF, with whichever Chromium is installed. */

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const PRINT_TIMEOUT_MS = 60_000;

/** @throws DrError TOOL_MISSING where there is none, TOOL_FAILED where it made no file */
export async function printPdf(html: string, file: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-pdf-'));
  try {
    const page = join(folder, 'page.html');
    await writeFile(page, html, { mode: 0o600 });
    const words = [
      ...['--headless', '--disable-gpu', '--no-first-run', '--no-pdf-header-footer'],
      // Its sandbox does not work for root; the page is our own, and has neither script nor address in it.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...[`--user-data-dir=${join(folder, 'profile')}`, `--print-to-pdf=${file}`, pathToFileURL(page).href],
    ];
    await anyOf(words);
    const made = await stat(file).catch(() => undefined);
    if (!made || made.size === 0)
      throw new DrError('TOOL_FAILED', { tool: 'chromium', exit: 'success', output: `but wrote no ${file}` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function anyOf(words: readonly string[]): Promise<void> {
  for (const program of PROGRAMS)
    try {
      await run([program, ...words], { timeoutMs: PRINT_TIMEOUT_MS });
      return;
    } catch (error) {
      if (!(error instanceof DrError) || error.code !== 'TOOL_MISSING') throw error;
    }
  throw new DrError('TOOL_MISSING', { tool: 'chromium', host: 'this host: no PDF can be made' });
}
