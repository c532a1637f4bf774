import { startOf, wasMade } from './drill-calendar.ts';
import type { DrillType } from './drill.ts';
import { RECOVERABLE, SCENARIOS, type Recoverable, type RunRecord, type Scenario } from './run.ts';

/**
 * What the calendar's next drill rehearses: whatever was not rehearsed for the longest time, so that a drill which was
 * skipped or refused is made up for. The same records give the same answer. Pure.
 */

/** @param has the components of the deployment */
export function nextComponent(has: readonly Recoverable[], records: readonly RunRecord[]): Recoverable {
  return longestAgo(
    RECOVERABLE.filter((component) => has.includes(component)),
    madeOf('component', records).flatMap((record) =>
      record.drill?.component ? [[record.drill.component, startOf(record)] as const] : [],
    ),
  );
}

export function nextScenario(type: DrillType, records: readonly RunRecord[]): Scenario {
  return longestAgo(
    SCENARIOS,
    madeOf(type, records).flatMap((record) =>
      record.drill ? [[record.drill.scenario, startOf(record)] as const] : [],
    ),
  );
}

/** Whether the next drill of the calendar is one of those that get a fault. */
export function isPlantDue(every: number | undefined, records: readonly RunRecord[]): boolean {
  if (every === undefined) return false;
  const own = records
    .filter((record) => record.drill?.scheduled !== undefined && wasMade(record))
    .sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  const last = own.findLastIndex(({ drill }) => drill?.plant !== undefined);
  return own.length - 1 - last >= every - 1;
}

const madeOf = (type: DrillType, records: readonly RunRecord[]): RunRecord[] =>
  records.filter((record) => record.drill?.type === type && wasMade(record));

/** The first of those that were never, else that which was longest ago. */
function longestAgo<Name extends string>(
  names: readonly Name[],
  seen: readonly (readonly [Name, string])[],
): Name {
  const lastOf = (name: Name): string =>
    seen
      .filter(([each]) => each === name)
      .map(([, at]) => at)
      .sort()
      .at(-1) ?? '';
  return names.reduce((first, name) => (lastOf(name) < lastOf(first) ? name : first));
}
