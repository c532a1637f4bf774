/**
 * Negative where the left version is older, by its numbers: `v5.3.8` before `5.10.0-rc1`.
 *
 * @param parts how many numbers count: 2 for major and minor.
 */
export function compareVersions(left: string, right: string, parts = 3): number {
  const [a, b] = [numbersOf(left), numbersOf(right)];
  for (let index = 0; index < parts; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbersOf(version: string): number[] {
  return (/\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number);
}
