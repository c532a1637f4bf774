import type { DrillRecord, Leaks, PlantNoticed, Untouched } from './drill.ts';
import type { RunCheck } from './run-checks.ts';

/** What a drill must show besides the recovery: that it harmed nothing, left nothing, and can fail. Pure. */

type Verdict = RunCheck['verdict'];

/** A pass without a single look proves nothing. */
export function untouchedVerdict(untouched: Untouched | undefined): Verdict {
  if (!untouched || untouched.looks.length === 0) return 'not-measured';
  const own = untouched.looks.map(({ verdict }) => verdict);
  if (untouched.verdict === 'fail' || own.includes('fail')) return 'fail';
  return untouched.verdict === 'pass' && own.every((each) => each === 'pass') ? 'pass' : 'not-measured';
}

export function leaksVerdict(leaks: Leaks | undefined): Verdict {
  if (!leaks) return 'not-measured';
  return leaks.left.length > 0 ? 'fail' : leaks.verdict;
}

/** Undefined where no fault was planted. */
export function plantVerdict({ plant, plantNoticed }: DrillRecord): Verdict | undefined {
  if (plant === undefined) return undefined;
  if (plantNoticed?.plant !== plant) return 'not-measured';
  return plantNoticed.noticed ? 'pass' : 'fail';
}

export function plantText({ expected, by, noticed }: PlantNoticed): string {
  const red = by.length > 0 ? by.join(', ') : 'nothing';
  return noticed
    ? `noticed: ${expected} went red`
    : `NOT NOTICED: ${expected} should have gone red, ${red} did`;
}

export function drillChecks(drill: DrillRecord): RunCheck[] {
  const { untouched, leaks } = drill;
  const changed = (untouched?.looks ?? []).filter(({ verdict }) => verdict !== 'pass');
  const harmed = untouchedVerdict(untouched);
  const left = leaksVerdict(leaks);
  return [
    {
      check: 'drill/untouched',
      verdict: harmed,
      severity: harmed === 'fail' ? 'critical' : 'high',
      text:
        harmed === 'pass'
          ? 'the live site was untouched'
          : harmed === 'fail'
            ? `the live site has changed: ${changed.map(({ what, before, after }) => `${what}: ${before}, then ${after}`).join('; ')}`
            : 'that the live site was untouched was not measured',
    },
    {
      check: 'drill/leaks',
      verdict: left,
      severity: left === 'fail' ? 'high' : 'medium',
      text:
        left === 'pass'
          ? 'nothing of the drill is left'
          : left === 'fail'
            ? `the drill has left behind: ${leaks!.left.join(', ') || 'something'}`
            : 'whether the drill has left something was not looked for',
    },
  ];
}
