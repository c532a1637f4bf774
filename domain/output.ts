/** The last lines of what a tool wrote, as they may be shown to people: whole lines of plain text, within a limit. Pure. */

/** What a decision is shown with: enough to decide on, small enough for a history and a memo. */
export const OUTPUT_LIMIT_BYTES = 4096;

/**
 * The last lines that fit. A first line that would be cut is left out: half a secret is not recognised as one, and is
 * a secret all the same.
 */
export function lastLines(text: string, limitBytes: number): string {
  const lines = plain(text).trimEnd().split('\n');
  const kept: string[] = [];
  let bytes = 0;
  for (const line of lines.reverse()) {
    bytes += new TextEncoder().encode(line).length + 1;
    if (bytes > limitBytes) {
      if (kept.length === 0) return `(one line of ${bytes - 1} bytes, too long to show)`;
      break;
    }
    kept.unshift(line);
  }
  return kept.join('\n');
}

/** Without colours and other commands to a terminal. */
function plain(text: string): string {
  return text

    .replaceAll(/\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|.)/g, '')
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '');
}
