import { formatDuration } from '../domain/duration.ts';
import type { Forecast } from '../domain/run.ts';

/** The parts of a forecast with their arithmetic, so that a wrong one can be seen through. Pure. */
export function forecastLines({ parts }: Forecast): string[] {
  return parts.map(
    (part) => `  ${part.name.padEnd(16)} ${formatDuration(part.durationMs).padStart(9)}  ${part.arithmetic}`,
  );
}
