import type { LeftOut } from '../domain/run.ts';

/** Which steps of a table a plan runs, in its order, and why not the others. */
export function selectSteps<const Table extends readonly { readonly id: string }[]>(
  table: Table,
  whyLeftOut: (id: Table[number]['id']) => LeftOut | undefined,
): { readonly steps: Table[number]['id'][]; readonly leftOut: Record<string, LeftOut> } {
  const reasons = table.map(({ id }): [string, LeftOut | undefined] => [id, whyLeftOut(id)]);
  return {
    steps: reasons.filter(([, why]) => why === undefined).map(([id]) => id),
    leftOut: Object.fromEntries(reasons.filter((each): each is [string, LeftOut] => each[1] !== undefined)),
  };
}
