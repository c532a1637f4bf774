import { workflowInfo } from '@temporalio/workflow';
import { formatDuration } from '../domain/duration.ts';
import { incidentKey, NOTICE_EVENTS, type Notice } from '../domain/notice.ts';
import type { LaunchInput } from '../domain/schedules.ts';
import { standingLine, standings, storesOf, type Standing } from '../domain/standing.ts';
import { measure } from './doctor.ts';
import { everyWorker } from './launch.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** What one look leaves for the next: Temporal hands it on from run to run of a schedule. */
export interface Watched {
  readonly standings: readonly Standing[];
  /** When people were told of what is out of bounds now. */
  readonly toldAt?: string;
}

/** Looks at what would be lost now, and tells people when it becomes too much, stays so, and is well again. */
export async function watch(input: LaunchInput): Promise<Watched> {
  const { deployment, sites, rpoMs } = input;
  const hosts = sites.flatMap(({ site, all }) => all.map((worker) => ({ site, worker })));
  const figures = await measure({ deployment, rpoMs, hosts });
  const seen = standings(figures, storesOf(figures), rpoMs);
  const before = workflowInfo().lastResult as Watched | undefined;
  // No worker answers for any store: that is not well either.
  const bad = seen.filter(({ state }) => state !== 'in bounds').map(standingLine);
  if (seen.length === 0) bad.push('no worker answers: what would be lost is not measured');
  const incident = incidentKey(deployment, 'stale');
  const notice = (event: 'stale' | 'fresh-again', title: string, lines: readonly string[]): Notice => ({
    ...{ event, severity: NOTICE_EVENTS[event].severity, deployment, title, lines },
    ...(event === 'stale' ? { opens: incident } : { closes: [incident] }),
    at: now(),
    about: `RPO ${formatDuration(rpoMs)}`,
  });
  if (bad.length === 0) {
    if (before?.toldAt === undefined) return { standings: seen };
    const title = `tyk-dr: ${deployment} is within its RPO again`;
    await sendNotice(everyWorker(input), notice('fresh-again', title, seen.map(standingLine)));
    return { standings: seen };
  }
  if (before?.toldAt !== undefined && Date.now() - Date.parse(before.toldAt) < input.remindMs)
    return { standings: seen, toldAt: before.toldAt };
  const title = `tyk-dr: ${deployment} would lose more than its RPO allows`;
  const { sent, failed } = await sendNotice(everyWorker(input), notice('stale', title, bad));
  // Whom nobody could reach is told at the next look.
  return sent.length === 0 && failed.length > 0 ? { standings: seen } : { standings: seen, toldAt: now() };
}
