import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { AvailabilityCount, type Availability } from '../../domain/availability.ts';
import { isOutage } from '../../domain/witness.ts';

/** The witness's whole file, for months: read as bytes, as a year of requests is gigabytes. */

/** The newest so much of it: enough for a request a second over more than a year. */
const MOST_BYTES = 4 * 2 ** 30;
const LONGEST_LINE = 1 << 16;
const LINE = /"at":\s*"([^"]{20,30})".*?"status":\s*(\d{1,3})\b/;

/** @param periods days until now @returns undefined where the file is not on this host */
export async function readAvailability(
  file: string,
  periods: readonly number[],
  nowMs: number,
): Promise<Availability[] | undefined> {
  const size = await stat(file).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return undefined;
  const counts = periods.map((days) => new AvailabilityCount(days, nowMs));
  const bytes = createReadStream(file, {
    start: Math.max(0, size - MOST_BYTES),
    encoding: 'latin1',
    highWaterMark: 1 << 20,
  });
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) rest = '';
    for (const line of lines) {
      const [, at, status] = LINE.exec(line) ?? [];
      if (at === undefined) continue;
      const atMs = Date.parse(at);
      for (const count of counts) count.add(atMs, isOutage(Number(status)));
    }
  }
  return counts.map((count) => count.result());
}
