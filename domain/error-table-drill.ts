import { failed, refused, usage, type ErrorEntry } from './error-kinds.ts';

/** Drills: the part of the error table about rehearsals. */

export const DRILL_ERRORS = {
  DRILL_NOT_CONFIGURED: usage(
    (d) => `${d.deployment} declares no site for drills`,
    'Name it under drill.site: a site that neither serves nor replicates, with ports and folders of its own.',
  ),
  DRILL_TOUCHES_LIVE: failed(
    (d) => `the drill ${d.run} was about to touch the live site: ${d.what}`,
    'It was refused before anything happened. Look for that address in the configuration of the drill’s site.',
  ),
  DRILL_LEAVES_ISOLATION: failed(
    (d) => `${d.what} of the drill is connected to the live site: ${d.address}`,
    'The drill was stopped and torn down. Look for that address in what was restored, and how the target rewrites it.',
  ),
  DRILL_TARGET_REPLICATES: refused(
    (d) => `${d.what} of ${d.site} replicates from the live site`,
    'A drill would break the replication. Declare a scratch site beside it under drill.site.',
  ),
  DRILL_HALTED: failed(
    (d) => `the drill was stopped because the live site is in trouble: ${d.what}`,
    'It was torn down. Look after the live site first; the limits are those of drill.halt.',
  ),
  DRILL_LEFT: refused(
    (d) => `an earlier drill, ${d.run}, was not torn down on ${d.site}`,
    'Remove what is left of it first, with tyk-dr drill cleanup.',
    (d) => `tyk-dr drill cleanup ${d.deployment}`,
  ),
  LIVE_CHANGED: failed(
    (d) => `the live site is not as it was before the drill: ${d.what}`,
    'Find out who changed it. If it was the drill, that is a bug of tyk-dr: please report it with the evidence pack.',
  ),
  PLANT_UNNOTICED: failed(
    (d) => `the planted fault ${d.plant} was not noticed: ${d.expected} should have gone red`,
    'A recovery would not notice it either. Treat every green run since the last noticed plant as unproven.',
  ),
} as const satisfies Record<string, ErrorEntry>;
