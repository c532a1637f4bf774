import type { Step } from '../domain/step.ts';

/** Takes a row of another table over: the same step, with other rows before it. */
export function retold<Id extends string>(
  table: readonly Step[],
  id: Id,
  changes: Partial<Omit<Step, 'id'>>,
): Step & { readonly id: Id } {
  const row = table.find((step) => step.id === id);
  if (!row) throw new Error(`${id} is not in the table that it is taken from`);
  const { undo: _undo, ...kept } = row;
  return { ...kept, ...changes, id };
}
