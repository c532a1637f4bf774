import type { Untouched } from './drill.ts';
import type { StepResult } from './run.ts';

/** The live site of a drill, looked at twice. Pure. */

/**
 * One thing seen. `same`: must be as it was. `onward`: a position or a count that its own clients only raise. `none`: a
 * trace of the drill, of which there must be none. `unseen`: this host could not tell.
 */
export interface LookItem {
  readonly what: string;
  readonly value: string;
  readonly rule: 'same' | 'onward' | 'none' | 'unseen';
}

export interface LookResult extends StepResult {
  readonly looks: readonly LookItem[];
}

type Look = Untouched['looks'][number];

/** What could not be seen at either look is not shown to be untouched. */
export function compareLooks(before: readonly LookItem[], after: readonly LookItem[]): Untouched {
  const names = [...new Set([...before, ...after].map(({ what }) => what))];
  const looks = names.map((what) =>
    compare(
      what,
      before.find((item) => item.what === what),
      after.find((item) => item.what === what),
    ),
  );
  return { verdict: worst(looks), looks };
}

function compare(what: string, before: LookItem | undefined, after: LookItem | undefined): Look {
  const told = { what, before: before?.value ?? '', after: after?.value ?? 'not looked at' };
  if (!after || after.rule === 'unseen') return { ...told, verdict: 'not-measured' };
  if (after.rule === 'none') return { ...told, verdict: after.value === '0' ? 'pass' : 'fail' };
  if (!before || before.rule === 'unseen') return { ...told, verdict: 'not-measured' };
  const holds =
    after.rule === 'same' ? before.value === after.value : Number(after.value) >= Number(before.value);
  return { ...told, verdict: holds ? 'pass' : 'fail' };
}

/** Nothing at all was seen: that is no proof either. */
function worst(looks: readonly Look[]): Untouched['verdict'] {
  const verdicts = looks.map(({ verdict }) => verdict);
  if (verdicts.includes('fail')) return 'fail';
  return verdicts.includes('not-measured') || verdicts.length === 0 ? 'not-measured' : 'pass';
}
