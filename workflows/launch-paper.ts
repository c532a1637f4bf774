import { workflowInfo } from '@temporalio/workflow';
import type { CalendarKind, TechnicalDrill } from '../domain/calendar-kinds.ts';
import type { CalendarLaunch } from '../domain/calendar-launch.ts';
import type { PaperInput, WrittenPaper } from '../domain/calendar-messages.ts';
import { NOTICE_EVENTS, type NoticeEvent } from '../domain/notice.ts';
import { askAny } from './ask-any.ts';
import { everyWorker, reasonOf } from './launch.ts';
import { scheduledAt } from './launch-drill.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** What a schedule starts that no machine does: tells people that it is due; the review and the handbook it writes first. */

export interface PaperLaunch extends CalendarLaunch {
  readonly kind: Exclude<CalendarKind, TechnicalDrill>;
}

export async function launchPaper(input: PaperLaunch): Promise<WrittenPaper> {
  const { deployment, kind } = input;
  const dueAt = scheduledAt();
  const workers = everyWorker(input);
  const tell = (event: NoticeEvent, title: string, lines: readonly string[]) =>
    sendNotice(workers, {
      ...{ event, severity: NOTICE_EVENTS[event].severity, deployment, at: now(), title, lines },
      about: workflowInfo().workflowId,
    });
  try {
    const paper =
      kind === 'review' || kind === 'handbook'
        ? await askAny<{ 'write-paper': (input: PaperInput) => Promise<WrittenPaper> }, WrittenPaper>(
            workers,
            `Write the ${kind} of ${deployment}`,
            (call) => call['write-paper']({ deployment, kind, dueAt }),
          )
        : { files: [] };
    // A handbook asks nothing of anybody.
    if (kind !== 'handbook')
      await tell('drill-due', `tyk-dr: the ${kind} of ${deployment} is due`, [...toDo(input, paper)]);
    return paper;
  } catch (error) {
    await tell('drill-not-made', `tyk-dr: the ${kind} of ${deployment} could not be written`, [
      ...[reasonOf(error), `It was due ${dueAt}.`],
    ]);
    throw error;
  }
}

function toDo({ deployment, kind }: PaperLaunch, { files, quarter }: WrittenPaper): string[] {
  switch (kind) {
    case 'review':
      return [
        ...[`It was written: ${files.join(', ')}`, 'Read it together, and sign it:'],
        `tyk-dr review sign ${deployment} --quarter ${quarter} --role ROLE`,
      ];
    case 'audit':
      return [
        'Whoever audits needs the evidence packs (tyk-dr evidence list) and their public keys.',
        `Afterwards: tyk-dr findings import ${deployment} FILE`,
      ];
    case 'tabletop':
      return [
        `It needs people: tyk-dr drill ${deployment} --type tabletop --scenario SCENARIO`,
        `Not now: tyk-dr drill defer ${deployment} --type tabletop --until TIME --reason 'why'`,
      ];
    case 'handbook':
      return [];
  }
}
