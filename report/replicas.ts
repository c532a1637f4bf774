import { formatDuration } from '../domain/duration.ts';
import { standingText } from '../domain/replication.ts';
import type { RunRecord } from '../domain/run.ts';

/** What a run says of standbys: their stores, and the runs that it goes on from. Pure. */

/** Of the stores as the run saw them last. */
export function replicaLines({ replicas = [], mode }: Pick<RunRecord, 'replicas' | 'mode'>): string[] {
  const when = mode === undefined ? '' : ' before the promotion';
  return replicas.map((each) => `  ${each.store} of ${each.site}${when}: ${standingText(each)}`);
}

export function earlierLines({ earlier = [] }: Pick<RunRecord, 'earlier'>): string[] {
  return earlier.flatMap(({ run, runbook, from, to, outcome, rtoMs, exceptions }) => [
    `  ${run}, ${runbook} from ${from} to ${to}: ${outcome}${rtoMs === undefined ? '' : `, RTO ${formatDuration(rtoMs)}`}; tyk-dr report ${run}`,
    ...exceptions.map((text) => `    ! ${text}`),
  ]);
}
