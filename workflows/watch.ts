import { workflowInfo } from '@temporalio/workflow';
import { findingText, type Finding } from '../domain/doctor.ts';
import { formatDuration } from '../domain/duration.ts';
import type { HostFigures } from '../domain/figures.ts';
import { judgeDrift } from '../domain/judge-drift.ts';
import { judgeReplication } from '../domain/judge-replication.ts';
import { incidentKey, NOTICE_EVENTS, type Notice, type NoticeEvent } from '../domain/notice.ts';
import type { LaunchInput } from '../domain/schedules.ts';
import { standingLine, standings, storesOf } from '../domain/standing.ts';
import type { Watched } from '../domain/watched.ts';
import { measure } from './doctor.ts';
import { everyWorker } from './launch.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** Looks at what would be lost now, and tells people when it becomes too much, stays so, and is well again. */
export async function watch(input: LaunchInput): Promise<Watched> {
  const { deployment, sites, rpoMs } = input;
  const hosts = sites.flatMap(({ site, all }) => all.map((worker) => ({ site, worker })));
  const figures = await measure({ deployment, rpoMs, hosts }, workflowInfo().runId);
  const seen = standings(figures, storesOf(figures), rpoMs);
  const before = workflowInfo().lastResult as Watched | undefined;
  // No worker answers for any store: that is not well either.
  const bad = seen.filter(({ state }) => state !== 'in bounds').map(standingLine);
  if (seen.length === 0) bad.push('no worker answers: what would be lost is not measured');
  const toldAt = await keepTold(input, before?.toldAt, {
    ...{ begins: 'stale', ends: 'fresh-again', about: `RPO ${formatDuration(rpoMs)}`, bad },
    ...{ well: seen.map(standingLine), title: `${deployment} would lose more than its RPO allows` },
    wellTitle: `${deployment} is within its RPO again`,
  });
  const replication = judgeReplication(figures);
  // Where no site is known to serve, nothing is known of who follows it: what was told stays told.
  const standbyToldAt =
    replication.length === 0
      ? before?.standbyToldAt
      : await keepTold(input, before?.standbyToldAt, {
          ...{ begins: 'standby-behind', ends: 'standby-level', about: 'replication' },
          bad: replication.filter(({ severity }) => severity === 'error').map(findingLine),
          well: replication.map(findingLine),
          title: `no standby of ${deployment} follows as it should`,
          wellTitle: `the standby of ${deployment} follows again`,
        });
  return {
    standings: seen,
    ...(toldAt === undefined ? {} : { toldAt }),
    ...(replication.length === 0 ? {} : { replication }),
    ...(standbyToldAt === undefined ? {} : { standbyToldAt }),
    ...driftOf(figures),
  };
}

function driftOf(figures: readonly HostFigures[]): Pick<Watched, 'drift'> {
  const prints = figures.flatMap(({ site, prints: own }) => (own ? [{ site, ...own }] : []));
  const drift = prints.length === 0 ? [] : judgeDrift(prints, figures);
  return drift.length === 0 ? {} : { drift };
}

const findingLine = (finding: Finding): string =>
  `${findingText(finding)}${finding.hint === undefined ? '' : `. ${finding.hint}`}`;

interface Matter {
  readonly begins: NoticeEvent;
  readonly ends: NoticeEvent;
  readonly title: string;
  readonly wellTitle: string;
  /** What is not well; empty where all is. */
  readonly bad: readonly string[];
  readonly well: readonly string[];
  readonly about: string;
}

/** @returns when people were told of what is not well now; undefined where all is, or nobody could be reached. */
async function keepTold(
  input: LaunchInput,
  toldAt: string | undefined,
  matter: Matter,
): Promise<string | undefined> {
  const { deployment } = input;
  const { begins, ends, title, wellTitle, bad, well, about } = matter;
  const incident = incidentKey(deployment, begins);
  const notice = (event: NoticeEvent, text: string, lines: readonly string[]): Notice => ({
    ...{ event, severity: NOTICE_EVENTS[event].severity, deployment, title: `tyk-dr: ${text}`, lines },
    ...(event === begins ? { opens: incident } : { closes: [incident] }),
    ...{ at: now(), about },
  });
  if (bad.length === 0) {
    if (toldAt !== undefined) await sendNotice(everyWorker(input), notice(ends, wellTitle, well));
    return undefined;
  }
  if (toldAt !== undefined && Date.now() - Date.parse(toldAt) < input.remindMs) return toldAt;
  const { sent, failed } = await sendNotice(everyWorker(input), notice(begins, title, bad));
  // Whom nobody could reach is told at the next look.
  return sent.length === 0 && failed.length > 0 ? undefined : now();
}
