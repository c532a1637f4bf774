import { NAMES, skewText, type StorePoint } from '../domain/points.ts';

/** The points of the stores with what lies between them, for people. Pure. */
export function pointLines(points: readonly StorePoint[]): string[] {
  if (points.length === 0) return [];
  return [
    ...points.map(
      ({ store, at, from }) =>
        `  ${NAMES[store].padEnd(18)}${(at ?? 'known after replay').padEnd(24)}  ${from}`,
    ),
    `  skew between them ${skewText(points)}`,
  ];
}
