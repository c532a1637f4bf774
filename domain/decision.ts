import { isPlain, shown } from './plain-text.ts';

/** What people decide about a run in flight. Plain JSON: it travels through Temporal. */

/** About a step that has failed for good. Which of them are offered depends on its row: see runbooks/choices.ts. */
export const CHOICES = ['retry', 'skip', 'done', 'undo', 'confirm', 'divert', 'abort'] as const;
export type Choice = (typeof CHOICES)[number];

/** About a step, or about the run as a whole; each is an update of the workflow. */
export const DECISIONS = [...CHOICES, 'pause', 'resume'] as const;
export type DecisionKind = (typeof DECISIONS)[number];

/** The argument of such an update. */
export interface DecisionArgs {
  readonly actor: string;
  readonly reason: string;
  /** Which waiting step is meant; where it is left out, every one, or for some decisions the only one. */
  readonly step?: string;
  /** Only with `retry`: the first digits of the digest of a worker's configuration that shall do from now on. */
  readonly acceptConfig?: string;
}

export interface Decision {
  readonly kind: DecisionKind;
  readonly step: string;
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
  /** What came of it, where that is known only later: of an undo. */
  result?: string;
}

/** What the run stands still for. */
export interface Wait {
  /** Records of earlier versions lack it: those waits were for decisions. */
  readonly kind?: 'decision' | 'approval' | 'pause';
  readonly for: string;
  readonly from: string;
  until?: string;
  /** When the patience of its policy was over and the alarm was raised. */
  escalatedAt?: string;
}

/** The longest reason: it stands in records, chats and signed texts. */
const MAX_REASON = 1000;
export const MAX_NAME = 100;

export interface ArgumentProblem {
  readonly argument: string;
  readonly value: string;
  readonly expected: string;
}

/**
 * What is wrong with who and why, which every decision has to say; undefined where nothing is. Takes anything: a
 * person may have typed it into the Temporal UI.
 */
export function whoAndWhyProblem(args: unknown): ArgumentProblem | undefined {
  const given = (typeof args === 'object' && args !== null ? args : {}) as Record<string, unknown>;
  return (
    textProblem('reason', given['reason'], MAX_REASON, 'a sentence that says why') ??
    textProblem('actor', given['actor'], MAX_NAME, 'the name of who decides') ??
    (given['step'] === undefined
      ? undefined
      : textProblem('step', given['step'], MAX_NAME, 'the id of a step'))
  );
}

/** One line of text, neither empty nor longer than may be. */
export function textProblem(
  argument: string,
  value: unknown,
  limit: number,
  expected: string,
): ArgumentProblem | undefined {
  const plain = typeof value === 'string' && value.trim() !== '' && isPlain(value);
  if (plain && value.length <= limit) return undefined;
  return {
    argument,
    value: shown(value ?? ''),
    expected: `${expected}, on one line of at most ${limit} characters`,
  };
}
