import { formatDuration } from '../domain/duration.ts';
import { exposureText } from '../domain/exposure.ts';
import { gapLines, lossLine, rangeText, rpoRange, rpoVerdict, skewSentence } from '../domain/loss.ts';
import type { RunRecord } from '../domain/run.ts';

/** What a run has lost, for people. Pure. */

const WORD = {
  met: 'MET',
  missed: 'MISSED',
  unproven: 'NOT PROVEN',
  'not measured': 'NOT MET: not measured',
} as const;

/** `12.0 s to 14.1 s  MET`, `not measured`. */
export function rpoText({
  losses,
  objectives,
  outcome,
}: Pick<RunRecord, 'losses' | 'objectives' | 'outcome'>): string {
  const range = rpoRange(losses);
  const verdict = rpoVerdict(losses, objectives.rpoMs);
  if (range) return `${rangeText(range)}  ${WORD[verdict]}`;
  return outcome === undefined && losses === undefined ? 'not measured yet' : 'not measured';
}

export function lossLines({ losses = [], objectives }: Pick<RunRecord, 'losses' | 'objectives'>): string[] {
  if (losses.length === 0) return [];
  return [
    ...losses.map((loss) => `  ${lossLine(loss)}`),
    ...losses.flatMap(gapLines).map((line) => `  ? ${line}`),
    ...losses.flatMap(({ exposure }) => (exposure ? [`  exposed before it: ${exposureText(exposure)}`] : [])),
    `  skew between Redis and the database, by these numbers: ${skewSentence(losses)}`,
    `  RPO of ${formatDuration(objectives.rpoMs)}: ${WORD[rpoVerdict(losses, objectives.rpoMs)]}`,
  ];
}
