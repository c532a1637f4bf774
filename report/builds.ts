import { buildText } from '../domain/build.ts';
import type { RunRecord } from '../domain/run.ts';

/** Which builds of tyk-dr have served a run. Pure. */

/** One row a build: its name, and its workers, each with the first step that it answered for. */
export function buildRows({ builds = [] }: Pick<RunRecord, 'builds'>): (readonly [string, string])[] {
  const workers = new Map<string, string[]>();
  for (const { build, worker, step } of builds) {
    const name = buildText(build);
    workers.set(name, [...(workers.get(name) ?? []), `${worker} from ${step}`]);
  }
  return [...workers].map(([name, each]) => [name, each.join(', ')]);
}

/** For a terminal. Two builds are no fault, where one has taken over from the other; they must be seen. */
export function buildLines(record: Pick<RunRecord, 'builds'>): string[] {
  const rows = buildRows(record);
  const [only] = rows;
  if (!only) return [];
  if (rows.length === 1) return [`  served by tyk-dr ${only[0]}: ${only[1]}`];
  return [
    `  served by ${rows.length} builds of tyk-dr:`,
    ...rows.map(([build, workers]) => `    ${build}: ${workers}`),
  ];
}
