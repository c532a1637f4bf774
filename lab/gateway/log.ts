/** One line an event on standard error. Messages name keys by hash only, and never a secret. */
export function log(level: 'info' | 'warning' | 'error', message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${level} ${message}\n`);
}

/** The reason in an error of any kind, for a log line or a health check. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
