import type { ConfigChange, FieldChange } from './config-diff.ts';

/** Changes as lines for people: of `config diff`, and of the message of a commit. Pure. */

const MARKS = { added: '+', removed: '-', changed: '~' } as const;

export function changeLines(changes: readonly ConfigChange[]): string[] {
  const components = [...new Set(changes.map(({ component }) => component))];
  return components.flatMap((component) => [
    component,
    ...changes
      .filter((change) => change.component === component)
      .flatMap(({ change, name, id, fields = [] }) => [
        `  ${MARKS[change]} ${name}${id === undefined || id === name ? '' : ` (${id})`}`,
        ...fields.map((field) => `      ${fieldLine(field)}`),
      ]),
  ]);
}

export function fieldLine({ path, old, new: now }: FieldChange): string {
  return `${path}: ${old ?? 'absent'} -> ${now ?? 'absent'}`;
}

/** `2 APIs added, 1 removed; 3 files changed`. */
export function changeSummary(changes: readonly ConfigChange[]): string {
  if (changes.length === 0) return 'nothing changed';
  return [
    part(changes, ['API', 'APIs'], ({ component }) => component === 'apis'),
    part(changes, ['policy', 'policies'], ({ component }) => component === 'policies'),
    part(changes, ['file', 'files'], ({ component }) => component !== 'apis' && component !== 'policies'),
  ]
    .filter((text) => text !== '')
    .join('; ');
}

function part(
  changes: readonly ConfigChange[],
  [one, many]: readonly [string, string],
  belongs: (change: ConfigChange) => boolean,
): string {
  const own = changes.filter(belongs);
  return (['added', 'removed', 'changed'] as const)
    .map((kind) => [kind, own.filter(({ change }) => change === kind).length] as const)
    .filter(([, count]) => count > 0)
    .map(([kind, count], at) =>
      at === 0 ? `${count} ${count === 1 ? one : many} ${kind}` : `${count} ${kind}`,
    )
    .join(', ');
}
