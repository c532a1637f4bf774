import type { Finding } from '../domain/findings.ts';

/** Findings for a terminal: what, how bad, whose, until when. Pure. */

export function findingLines(findings: readonly Finding[]): string[] {
  return findings.flatMap((each) => [
    `${each.id}  ${each.severity.padEnd(8)}  ${stateText(each)}`,
    `    ${each.check}: ${each.text}`,
    `    ${occurrenceText(each)}`,
  ]);
}

/** `open, ann, due 2026-12-01, OVERDUE`. */
export function stateText({ state, owner, due, overdue, acceptance, closure }: Finding): string {
  if (closure)
    return `closed by run ${closure.run} (${closure.basis === 'asserted' ? `asserted by ${closure.actor}: no run performs this check` : closure.basis}), ${closure.actor}: ${closure.reason}`;
  const accepted =
    acceptance === undefined
      ? []
      : acceptance.expired
        ? [`accepted until ${acceptance.until}: EXPIRED`]
        : [`until ${acceptance.until} by ${acceptance.by}: ${acceptance.reason}`];
  return [
    state,
    ...accepted,
    owner === undefined ? 'no owner' : `owner ${owner}`,
    ...(due === undefined ? [] : [overdue ? `due ${due}: OVERDUE` : `due ${due}`]),
  ].join(', ');
}

export function occurrenceText({ occurrences, recurring, recurrenceOf }: Finding): string {
  const [first, last] = [occurrences[0]!, occurrences.at(-1)!];
  const times =
    occurrences.length === 1
      ? `found ${first.at} in ${first.in}`
      : `found ${occurrences.length} times, from ${first.at} in ${first.in} to ${last.at} in ${last.in}`;
  const again = recurrenceOf === undefined ? '' : `; closed before as ${recurrenceOf}`;
  return `${recurring ? 'RECURRING: ' : ''}${times}${again}`;
}
