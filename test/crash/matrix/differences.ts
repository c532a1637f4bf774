/** What is not as it must be, in words. */

export class Differences {
  readonly all: string[] = [];

  same(what: string, actual: unknown, expected: unknown): void {
    const [is, must] = [text(actual), text(expected)];
    if (is !== must) this.all.push(`${what}: ${is}, must be ${must}`);
  }

  between(what: string, actual: number, least: number, most: number): void {
    if (actual < least || actual > most)
      this.all.push(`${what}: ${actual}, must be ${least === most ? least : `${least} to ${most}`}`);
  }
}

function text(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify([...(value as string[])].sort());
  if (typeof value !== 'object' || value === null) return String(value);
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
}
