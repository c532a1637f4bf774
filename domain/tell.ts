import { textProblem } from './decision.ts';
import { DrError } from './errors.ts';
import type { Notice } from './notice.ts';

/** How a run, the workflow that tells people of it, and who acknowledges find each other in Temporal. */

export const tellId = (deployment: string, run: string): string => `tell/${deployment}/${run}`;

export const NOTICE_SIGNAL = 'notice';
export const ACKNOWLEDGED_SIGNAL = 'acknowledged';
export const OVER_SIGNAL = 'over';
/** An update, of the run and, once that is over, of the workflow that tells people of it. */
export const ACKNOWLEDGE = 'acknowledge';

/** A notice with an id that is its own within the run: what bears the same one is told once. */
export interface RunNotice {
  readonly id: string;
  readonly notice: Notice;
}

/** The input of the workflow `tell`. */
export interface TellInput {
  /** Asked in this order: any of them can send. */
  readonly workers: readonly string[];
}

export interface Acknowledgement {
  readonly actor: string;
  readonly at: string;
}

export interface AcknowledgeArgs {
  readonly actor: string;
}

const MOST_ACTOR = 100;

/** Why nobody can be taken at this word; undefined where it can. Takes anything: it may come from the Temporal UI. */
export function acknowledgeObjection(args: unknown): DrError | undefined {
  const actor = (args as Partial<AcknowledgeArgs> | null | undefined)?.actor;
  const problem = textProblem('actor', actor, MOST_ACTOR, 'the name of who has heard');
  return problem && new DrError('BAD_ARGUMENT', { ...problem });
}
