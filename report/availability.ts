import {
  availabilityPercent,
  availabilityVerdict,
  ENOUGH,
  type AvailabilityFacts,
} from '../domain/availability.ts';
import type { Section } from './document.ts';

/** Availability over months, as a part of the review. Pure. */

const VERDICT = {
  met: 'MET',
  missed: 'MISSED',
  'not measured': 'NOT MEASURED',
  'no SLO': 'no SLO is stated',
};

export function availabilitySection({ measured, sloPercent, why }: AvailabilityFacts = {}): Section {
  const title = 'Availability against the SLO';
  if (!measured) return { title, text: [`Not measured: ${why ?? 'no witness is configured'}.`] };
  return {
    title,
    text: [
      `What the witness outside saw: the share of its requests that were answered (404 and 5xx are failures). The SLO is ${sloPercent === undefined ? 'not stated' : `${sloPercent} %`}. Minutes without a request are not measured: with less than ${ENOUGH * 100} % of a period it counts as met in no case.`,
    ],
    table: {
      head: ['period', 'requests', 'failed', 'availability', 'of the time measured', 'since', 'SLO'],
      rows: measured.map((each) => [
        ...[`${each.days} days`, String(each.requests), String(each.failed)],
        each.requests === 0 ? 'not measured' : `${availabilityPercent(each)} %`,
        `${(Math.floor(each.coverage * 1000) / 10).toFixed(1)} %`,
        each.from ?? '',
        VERDICT[availabilityVerdict(each, sloPercent)],
      ]),
    },
  };
}
