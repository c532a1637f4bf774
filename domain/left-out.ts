import type { RunRecord, StepRecord } from './run.ts';

/** Why a step is left out, in words. */
export function leftOutText(
  { component, scenario, drill, mode }: Pick<RunRecord, 'component' | 'scenario' | 'drill' | 'mode'>,
  { notPartOf }: Pick<StepRecord, 'notPartOf'>,
): string {
  switch (notPartOf) {
    case 'drill':
      return 'no drill does this';
    case 'strategy':
      return 'not part of this strategy';
    case 'mode':
      return mode === 'graceful' ? 'not part of a graceful failover' : 'not part of a forced failover';
    case 'deployment':
      return 'not part of this deployment';
    case 'in-place':
      return 'not part of a rebuild in place';
    case 'elsewhere':
      return 'not part of a recovery on another site';
    case 'component':
      return `not part of recovering ${component ?? drill?.component} alone`;
    case 'as-is':
      return `not needed: ${component ?? 'it'} is started as it is`;
    case 'scenario':
      return `not needed in scenario ${scenario}`;
    default:
      // A record of an earlier version.
      return 'not part of this run';
  }
}
